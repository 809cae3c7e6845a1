// spoolway/sdk/steps: a message that takes several requests (the parts of a long text, then its files), on a platform without idempotency keys that can be asked what is there.
//
//   first try ─▶ text, text, files ─▶ sent           nothing done yet: the error is the message's own
//      └─ one fails after others were done ─▶ the platform asks to wait: waited for, then on; anything else: uncertain
//   next try, where an earlier one may have arrived ─▶ find() ─▶ only what is missing
import { reject, type SendContext, type SendResult, SpoolwayError, uncertain } from "../sdk.ts";
import { patiently } from "./http/pages.ts";
import type { Attachment } from "./http/upload.ts";

export interface Steps<Text> {
  texts: readonly Text[];
  files?: readonly Attachment[] | undefined;
  /** Posts a text; its id. `part`: its index. */
  post(text: Text, part: number): Promise<string>;
  /** Posts the files, all at once; the id. */
  share(files: readonly Attachment[]): Promise<string>;
  /** The platform's ids of what is there already, by the index of the text; the files have the index after the last. */
  find(): Promise<ReadonlyMap<number, string>>;
}

/** Does what is not done yet, in order. Throws invalid_message where there is nothing to do. */
export async function takeSteps<Text>(
  steps: Steps<Text>,
  { mayHaveBeenSent, signal }: Pick<SendContext, "mayHaveBeenSent" | "signal">,
): Promise<SendResult> {
  const todo = requestsOf(steps);
  if (todo.length === 0) throw reject("the message has no text and no attachment", "invalid_message");
  const done = new Map(mayHaveBeenSent ? await steps.find() : []);
  for (const [index, request] of todo.entries()) {
    if (done.has(index)) continue;
    const isFirst = done.size === 0;
    done.set(index, await (isFirst ? request() : patiently(request, signal).catch(partly)));
  }
  return resultOf(todo.map((_request, index) => done.get(index) ?? ""));
}

/** For `reconcile`: everything is there, nothing is, or (undefined) some of it: then the next try does the rest. */
export async function findSteps(steps: Steps<unknown>): Promise<SendResult | "not_sent" | undefined> {
  const done = await steps.find();
  if (done.size === 0) return "not_sent";
  const ids = requestsOf(steps).map((_request, index) => done.get(index));
  return ids.every((id) => id !== undefined) ? resultOf(ids) : undefined;
}

function requestsOf<Text>({ texts, files = [], post, share }: Steps<Text>): Array<() => Promise<string>> {
  const posts = texts.map((text, part) => () => post(text, part));
  return files.length > 0 ? [...posts, () => share(files)] : posts;
}

function partly(error: unknown): never {
  if (error instanceof SpoolwayError && ["reject", "stop", "uncertain"].includes(error.fate)) throw error;
  const words = error instanceof Error ? error.message : String(error);
  throw uncertain(`only a part was sent: ${words}`, { cause: error });
}

function resultOf(ids: string[]): SendResult {
  return { platform_id: ids[0], platform_ids: ids.length > 1 ? ids : undefined };
}
