// What is posted to a Discord of our own: JSON, or a form with payload_json and files; its limits, and what an edit makes of a message's attachments.
// Written from https://docs.discord.com/developers/reference#uploading-files.
import type { IncomingMessage } from "node:http";
import { invalidForm, type Json, Refusal, type StoredFile } from "./discordWorld.ts";

export interface Posted {
  body: Json;
  /** By the number in their field's name, files[n]. */
  files: Map<string, StoredFile>;
}

/** Of each, in a server with the highest boost level. */
const maxFileBytes = 100 << 20;

/** What a request carries. */
export async function postedIn(request: IncomingMessage): Promise<Posted> {
  const bytes = Buffer.concat((await request.toArray()) as Buffer[]);
  const type = request.headers["content-type"] ?? "";
  const files = new Map<string, StoredFile>();
  if (bytes.length === 0) return { body: {}, files };
  if (type.startsWith("application/json")) return { body: JSON.parse(bytes.toString("utf8")) as Json, files };
  const form = await new Response(bytes, { headers: { "content-type": type } }).formData();
  for (const [key, value] of form) {
    if (typeof value === "string") continue;
    const [, n] = /^files\[(\d+)\]$/.exec(key) ?? [];
    if (n === undefined) throw invalidForm(key, "UNKNOWN", "Unknown field");
    files.set(n, {
      name: value.name,
      mediaType: value.type,
      bytes: new Uint8Array(await value.arrayBuffer()),
    });
  }
  return { body: JSON.parse(String(form.get("payload_json") ?? "{}")) as Json, files };
}

/** Their limits. */
export function checkedFiles(files: Posted["files"]): StoredFile[] {
  const all = [...files.values()];
  if (all.length > 10) throw invalidForm("files", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.");
  if (all.some(({ bytes }) => (bytes as Uint8Array).byteLength > maxFileBytes))
    throw new Refusal(413, 40005, "Request entity too large");
  return all;
}

export function contentOf({ content = "" }: Json, files: number): string {
  if (typeof content !== "string")
    throw invalidForm("content", "BASE_TYPE_BAD_STRING", "Could not interpret as string.");
  if (content.trim() === "" && files === 0) throw new Refusal(400, 50006, "Cannot send an empty message");
  if (Array.from(content).length > 2000)
    throw invalidForm("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.");
  return content.trim();
}

/**
 * Of an edit: what of the attachments stays, and what comes. Only what `attachments` lists is there afterwards, new files by their number; without it those that were there stay, and new
 * ones are not taken.
 */
export function editedFiles(
  { body, files }: Posted,
  before: readonly Json[],
): { kept: Json[]; added: StoredFile[] } {
  checkedFiles(files);
  if (!Array.isArray(body.attachments)) return { kept: [...before], added: [] };
  const ids = (body.attachments as Json[]).map(({ id }) => String(id));
  return {
    kept: before.filter(({ id }) => ids.includes(String(id))),
    added: ids.flatMap((id) => files.get(id) ?? []),
  };
}
