// spoolway/sdk/mail/numbered-folder: a folder whose items have ascending numbers that hold as long as the folder has the same validity (IMAP's UID and UIDVALIDITY): each item is
// dealt with once, in order, and the cursor moves after each.
//
//   open ─▶ catch up ─▶ wait ─▶ catch up …
//
// With another validity every number is a new one: all items since shortly before the last one are looked at again, and their keys tell which of them are known.
import type { Context } from "../../sdk.ts";

export interface NumberedFolder {
  name: string;
  /** Numbers of `from` and above; where `since` is given only of what came then or later. In any order; more than was asked for does no harm. */
  find(from: number, since: Date | undefined): Promise<number[]>;
  /** Resolves once the item is durable, with the time at which it came; undefined where it is gone meanwhile. */
  take(number: number, validity: string): Promise<Date | undefined>;
  /** Until something may be new. Throws when the connection is lost. */
  wait(): Promise<void>;
}

interface Cursor {
  validity: string;
  /** Dealt with, and all below it. */
  number: number;
  /** When the last item came. */
  at: string;
  /** After a change of the validity, until all is looked at. */
  since?: string;
}

type Place = Pick<Context, "state" | "log" | "heard">;
const overlapMs = 2 * 86_400_000; // IMAP searches by the day, in the server's time zone

const keyOf = (name: string): string => `folder:${name}`;

/** Where to go on. A folder that is seen for the first time begins with what comes from now on (`next`: the number that the next item will have), or with all. */
export async function placeCursor(
  { state, log }: Place,
  { name, validity, next, start }: { name: string; validity: string; next: number; start: "new" | "all" },
): Promise<void> {
  const known = await state.get<Cursor>(keyOf(name));
  if (known?.validity === validity) return;
  const at = known?.at ?? new Date().toISOString();
  if (known === undefined) {
    await state.set(keyOf(name), { validity, number: start === "all" ? 0 : next - 1, at });
    return;
  }
  log.warn("folder.renumbered", { folder: name, was: known.validity, is: validity });
  const since = known.since ?? new Date(Date.parse(at) - overlapMs).toISOString();
  await state.set(keyOf(name), { validity, number: 0, at, since });
}

/** That something may be new, however often it is told. Forget it before you look: what is told meanwhile is looked for again. */
export class News {
  isThere = false;
  #wake: () => void = () => undefined;

  tell(): void {
    this.isThere = true;
    this.#wake();
  }

  forget(): void {
    this.isThere = false;
  }

  /** Resolves when it is told, or was since it was forgotten. */
  async come(): Promise<void> {
    if (this.isThere) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }
}

/** Runs until something throws. */
export async function followFolder(folder: NumberedFolder, ctx: Place): Promise<never> {
  for (;;) {
    await catchUp(folder, ctx);
    ctx.heard();
    await folder.wait();
  }
}

/** Follows them all until the signal aborts or one is lost; all are closed and at rest then. */
export async function followAll(
  folders: ReadonlyArray<{ follow(): Promise<never>; close(): void }>,
  signal: AbortSignal,
): Promise<void> {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (signal.aborted) resolve();
  const following = folders.map((folder) => folder.follow());
  try {
    await Promise.race([aborted, ...following]);
  } finally {
    for (const folder of folders) folder.close();
    await Promise.allSettled(following);
  }
}

async function catchUp(folder: NumberedFolder, { state }: Place): Promise<void> {
  const key = keyOf(folder.name);
  const cursor = await state.get<Cursor>(key);
  if (cursor === undefined) throw new Error(`the folder ${folder.name} has no cursor`);
  const { validity, since } = cursor;
  const found = await folder.find(cursor.number + 1, since === undefined ? undefined : new Date(since));
  const numbers = found.filter((number) => number > cursor.number).sort((a, b) => a - b);
  let { at } = cursor;
  for (const number of numbers) {
    at = (await folder.take(number, validity))?.toISOString() ?? at;
    await state.set(key, { validity, number, at, ...(since !== undefined && { since }) });
  }
  if (since !== undefined) await state.set(key, { validity, number: numbers.at(-1) ?? cursor.number, at });
}
