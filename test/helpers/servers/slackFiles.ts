// Files of the Slack fake: an upload to a URL of its own with the announced length, the share that comes some time after files.completeUploadExternal, and downloads for a
// token with files:read (anybody else gets a page to log in). Large files are kept as size and hash only. Written from https://docs.slack.dev/messaging/working-with-files.
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { SlackStore, StoredFile } from "./slackStore.ts";

interface Upload {
  file: StoredFile;
  /** Undefined until it came. */
  sha256?: string;
  bytes?: Buffer;
  shared: boolean;
}

const keepMaxBytes = 1 << 20;
const shareMaxBytes = 1 << 30;

export class SlackFiles {
  /** The biggest that was uploaded. */
  biggest: { size: number; sha256: string } | undefined;
  readonly uploads = new Map<string, Upload>();
  /** Uploads are answered with these, one after the other, before any is taken. */
  readonly refusals: number[] = [];
  /** What files.info tells, by file. */
  readonly shared = new Map<string, StoredFile>();
  /** What a download gives, by file. */
  readonly contents = new Map<string, () => Iterable<Uint8Array>>();
  readonly #store: SlackStore;

  constructor(store: SlackStore) {
    this.#store = store;
  }

  /** files.getUploadURLExternal */
  announce(base: string, name: string, size: number): Record<string, unknown> {
    if (!Number.isInteger(size) || size <= 0) return { ok: false, error: "invalid_arguments" };
    if (size > shareMaxBytes) return { ok: false, error: "file_upload_size_restricted" };
    const id = this.#store.newId("F");
    const file = { id, name, title: name, mimetype: "application/octet-stream", size, mode: "hosted" };
    this.uploads.set(id, { file, shared: false });
    return { ok: true, upload_url: `${base}/upload/v1/${id}`, file_id: id };
  }

  /** POST to the upload's URL. No token: the URL is the secret. */
  async receive(id: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const upload = this.uploads.get(id);
    if (upload === undefined || upload.sha256 !== undefined) return void response.writeHead(404).end();
    const hash = createHash("sha256");
    const kept: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      hash.update(chunk);
      size += chunk.length;
      if (size <= keepMaxBytes) kept.push(chunk);
    }
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return void response.writeHead(refusal).end("not today");
    const announced = request.headers["content-length"];
    if (size !== upload.file.size || announced !== String(size))
      return void response.writeHead(400).end("bad size");
    upload.sha256 = hash.digest("hex");
    if (size <= keepMaxBytes) upload.bytes = Buffer.concat(kept);
    if (size >= (this.biggest?.size ?? 0)) this.biggest = { size, sha256: upload.sha256 };
    response.writeHead(200).end(`OK - ${size}`);
  }

  /** files.completeUploadExternal: the files that are to be shared, or why not. */
  complete(wanted: Array<{ id: string; title?: string }>): StoredFile[] | string {
    const files: StoredFile[] = [];
    for (const { id, title } of wanted) {
      const upload = this.uploads.get(id);
      if (upload?.sha256 === undefined || upload.shared) return "file_not_found";
      upload.shared = true;
      files.push({ ...upload.file, title: title ?? upload.file.name });
    }
    return files.length === 0 ? "invalid_arguments" : files;
  }

  /** A file that a user shares. */
  put(base: string, name: string, size: number, content: () => Iterable<Uint8Array>): StoredFile {
    const id = this.#store.newId("F");
    this.contents.set(id, content);
    const url = `${base}/files-pri/T0FAKE-${id}/${encodeURIComponent(name)}`;
    const kind = { mimetype: "application/octet-stream", mode: "hosted" };
    const file = { id, name, title: name, size, ...kind, url_private: url, url_private_download: url };
    this.shared.set(id, file);
    return file;
  }

  async give(id: string, isAllowed: boolean, response: ServerResponse): Promise<void> {
    const content = this.contents.get(id);
    if (!isAllowed) return void response.writeHead(200, { "content-type": "text/html" }).end("<html>Log in");
    if (content === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": "application/octet-stream" });
    await pipeline(Readable.from(content()), response).catch(() => response.destroy()); // who hangs up does not want it
  }
}
