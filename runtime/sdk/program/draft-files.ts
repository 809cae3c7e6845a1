// spoolway/sdk/program/draft-files: an event in its short form (see draftFromShorthand) whose attachments may be files of whoever wrote it:
//
//   {"text": "hi", "content": {"attachments": [{"path": "scan.pdf", "media_type": "application/pdf"}]}}
import { resolve } from "node:path";
import { type Draft, draftFromShorthand } from "../../sdk.ts";
import { type Fields, invalidLine, isObject } from "./json-line.ts";
import { streamOf } from "../folder/regular-file.ts";

/**
 * The draft; where attachments have a path (relative to `cwd`), a function that makes it, since each try needs a stream of its own. Files are streamed, whatever their size; one
 * that is missing or no regular file rejects the delivery (attachment_missing). Throws what draftFromShorthand throws.
 */
export function draftWithFiles(fields: Fields, cwd: string): Draft | (() => Draft) {
  const { content } = fields;
  if (!isObject(content) || !Array.isArray(content.attachments)) return draftFromShorthand(fields);
  const paths = new Map<number, string>();
  const attachments = content.attachments.map((item: unknown, index) => {
    if (!isObject(item) || item.path === undefined) return item;
    const { path, ...rest } = item;
    if (typeof path !== "string" || path === "")
      throw invalidLine(`content.attachments[${index}].path: expected a path`);
    paths.set(index, resolve(cwd, path));
    return { name: path.split("/").at(-1), ...rest };
  });
  const draft = draftFromShorthand({ ...fields, content: { ...content, attachments } });
  if (paths.size === 0) return draft;
  const open = () =>
    draft.content?.attachments?.map((item, index) => {
      const path = paths.get(index);
      return path === undefined ? item : { ...item, data: streamOf(path) };
    });
  return () => ({ ...draft, content: { ...draft.content, attachments: open() ?? [] } });
}
