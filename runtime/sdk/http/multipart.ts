// spoolway/sdk/http/multipart: a form with files (multipart/form-data, RFC 7578) as the body of a request, streamed: no file is held in memory. The body can be read more than
// once, for a request that is made again.
//
//   ctx.fetch(url, { method: "POST", ...multipart({ caption: "hi" }, [{ field: "file", name: "a.bin", open }]) })
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { Context, Outgoing } from "../../sdk.ts";
import { fileName } from "./upload.ts";

export interface FormFile {
  /** The form field's name. */
  field: string;
  /** The file's name, in any script. */
  name: string;
  mediaType?: string | undefined;
  /** Bytes. With the size of every file the request says how long it is, which many servers ask for. */
  size?: number | undefined;
  /** Its bytes, from the beginning; called each time that the body is read. */
  open(): Readable;
}

/** What fetch needs of a form. */
export interface Form {
  headers: Record<string, string>;
  body: AsyncIterable<Uint8Array>;
  duplex: "half";
}

/** A message's JSON in one field, its files beside it; `fileField` names the field of each. */
export function jsonWithFiles(
  { openAttachment }: Pick<Context, "openAttachment">,
  jsonField: string,
  json: object,
  files: NonNullable<Outgoing["attachments"]>,
  fileField: (n: number) => string,
): Form {
  const parts = files.map((file, n) => ({
    field: fileField(n),
    name: fileName(file),
    mediaType: file.media_type,
    size: file.size,
    open: () => openAttachment(file),
  }));
  return multipart({ [jsonField]: JSON.stringify(json) }, parts);
}

export function multipart(fields: Readonly<Record<string, string>>, files: readonly FormFile[]): Form {
  const boundary = `spoolway-${randomUUID()}`;
  const head = Object.entries(fields).map(
    ([name, value]) => part(boundary, `name="${quoted(name)}"`, "") + `${value}\r\n`,
  );
  const heads = files.map(({ field, name, mediaType = "application/octet-stream" }) =>
    part(
      boundary,
      `name="${quoted(field)}"; filename="${quoted(name)}"`,
      `Content-Type: ${oneLine(mediaType)}\r\n`,
    ),
  );
  const tail = `--${boundary}--\r\n`;
  const texts = [...head, ...heads, ...files.map(() => "\r\n"), tail];
  const sizes = [...texts.map((text) => Buffer.byteLength(text)), ...files.map(({ size }) => size ?? NaN)];
  const length = sizes.reduce((sum, size) => sum + size, 0);
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(head.join(""));
    for (const [n, file] of files.entries()) {
      yield Buffer.from(heads[n] ?? "");
      yield* file.open();
      yield Buffer.from("\r\n");
    }
    yield Buffer.from(tail);
  }
  return {
    headers: {
      "content-type": `multipart/form-data; boundary=${boundary}`,
      ...(Number.isNaN(length) ? {} : { "content-length": String(length) }),
    },
    body: { [Symbol.asyncIterator]: bytes },
    duplex: "half",
  };
}

const part = (boundary: string, disposition: string, more: string): string =>
  `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n${more}\r\n`;

/** As browsers do it: a name can end neither its quotes nor its line. */
const quoted = (name: string): string =>
  name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");

const oneLine = (text: string): string => text.replaceAll(/[\r\n]/g, " ");
