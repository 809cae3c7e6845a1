// multipart/form-data as a server reads it, streaming: fields as text, files as their size and hash, with the bytes of small ones. Rules of headers as in tdlib's
// HttpReader: a value ends at the next semicolon, quotes around it go.
import { createHash, type Hash } from "node:crypto";

export interface FormFile {
  field: string;
  name: string;
  size: number;
  sha256: string;
  /** Of a file up to keepMaxBytes. */
  bytes: Buffer | undefined;
}

export interface Form {
  fields: Record<string, string>;
  files: FormFile[];
}

const keepMaxBytes = 1 << 20;

interface Part {
  field: string;
  name: string | undefined;
  size: number;
  hash: Hash;
  kept: Buffer[];
}

/** Reads it to its end. Throws where it breaks off or is none. */
export async function readForm(source: AsyncIterable<Buffer>, contentType: string): Promise<Form> {
  const boundary = /boundary=(?:"([^"]+)"|([^;]+))/.exec(contentType);
  const mark = Buffer.from(`\r\n--${boundary?.[1] ?? boundary?.[2] ?? ""}`);
  const form: Form = { fields: {}, files: [] };
  let part: Part | undefined;
  let rest: Buffer = Buffer.from("\r\n"); // the first boundary has none before it
  let ended = false;
  for await (const chunk of source) {
    rest = Buffer.concat([rest, chunk]);
    while (!ended) {
      const at = rest.indexOf(mark);
      if (at === -1) {
        // The mark may have begun.
        const sure = Math.max(0, rest.length - mark.length);
        if (part) take(part, rest.subarray(0, sure));
        rest = rest.subarray(sure);
        break;
      }
      const headEnd = rest.indexOf("\r\n\r\n", at + mark.length);
      const isLast = rest.subarray(at + mark.length, at + mark.length + 2).toString() === "--";
      if (!isLast && headEnd === -1) break;
      if (part) {
        take(part, rest.subarray(0, at));
        finish(part, form);
      }
      ended = isLast;
      if (isLast) break;
      part = begin(rest.subarray(at + mark.length + 2, headEnd).toString("utf8"));
      rest = rest.subarray(headEnd + 4);
    }
  }
  if (!ended) throw new Error("the form breaks off");
  return form;
}

function begin(head: string): Part {
  const disposition = /^content-disposition:\s*form-data;(.*)$/im.exec(head)?.[1];
  if (disposition === undefined) throw new Error("Bad Request: expected form-data content disposition");
  const values = new Map(
    disposition.split(";").map((pair) => {
      const [key = "", ...value] = pair.split("=");
      return [
        key.trim(),
        value
          .join("=")
          .trim()
          .replace(/^"(.*)"$/, "$1"),
      ];
    }),
  );
  return {
    field: values.get("name") ?? "",
    name: values.get("filename"),
    size: 0,
    hash: createHash("sha256"),
    kept: [],
  };
}

function take(part: Part, bytes: Buffer): void {
  part.size += bytes.length;
  part.hash.update(bytes);
  if (part.size <= keepMaxBytes) part.kept.push(Buffer.from(bytes));
}

function finish({ field, name, size, hash, kept }: Part, form: Form): void {
  const bytes = size <= keepMaxBytes ? Buffer.concat(kept) : undefined;
  if (name === undefined) form.fields[field] = bytes?.toString("utf8") ?? "";
  else form.files.push({ field, name, size, sha256: hash.digest("hex"), bytes });
}
