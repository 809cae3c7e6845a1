// The content repository of the fake homeserver: uploads with their length, downloads for those who are logged in. What is large is hashed and not kept.
import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Refused } from "./matrixRooms.ts";

export interface Media {
  size: number;
  sha256: string;
  name: string | undefined;
  /** Of small ones. */
  bytes?: Buffer;
}

const uploadMaxBytes = 200_000_000;
const keptMaxBytes = 1_000_000;

export class MatrixMedia {
  readonly #serverName: string;
  readonly byId = new Map<string, Media>();
  /** Media of servers that cannot be reached. */
  readonly unreachable = new Set<string>();

  constructor(serverName: string) {
    this.#serverName = serverName;
  }

  add(bytes: Buffer): string {
    return this.#keep({ size: bytes.length, sha256: sha256Of(bytes), name: undefined, bytes });
  }

  /** So many bytes, which nobody holds: the same piece again and again. */
  addBig(size: number): { url: string; sha256: string } {
    const hash = createHash("sha256");
    for (const piece of piecesOf(size)) hash.update(piece);
    const sha256 = hash.digest("hex");
    return { url: this.#keep({ size, sha256, name: undefined }), sha256 };
  }

  /** What an mxc: URL of this server stands for. */
  of(url: string): Media | undefined {
    return this.byId.get(url.split("/").at(-1) ?? "");
  }

  #keep(media: Media): string {
    const id = `media${this.byId.size + 1}`;
    this.byId.set(id, media);
    return `mxc://${this.#serverName}/${id}`;
  }

  async upload(request: IncomingMessage): Promise<{ content_uri: string }> {
    const length = request.headers["content-length"];
    if (length === undefined) throw new Refused(400, "M_UNKNOWN", "Request must specify a Content-Length");
    if (Number(length) > uploadMaxBytes)
      throw new Refused(413, "M_TOO_LARGE", "Upload request body is too large");
    const hash = createHash("sha256");
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      hash.update(chunk);
      if (size <= keptMaxBytes) chunks.push(chunk);
    }
    const name = new URL(request.url ?? "/", "http://test").searchParams.get("filename") ?? undefined;
    const bytes = size <= keptMaxBytes ? { bytes: Buffer.concat(chunks) } : {};
    return { content_uri: this.#keep({ size, sha256: hash.digest("hex"), name, ...bytes }) };
  }

  async download(server: string, id: string, response: ServerResponse): Promise<undefined> {
    if (this.unreachable.has(server)) throw new Refused(502, "M_UNKNOWN", "Failed to fetch remote media");
    const media = server === this.#serverName ? this.byId.get(id) : undefined;
    if (media === undefined) throw new Refused(404, "M_NOT_FOUND", "Not found");
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": media.size });
    if (media.bytes !== undefined) {
      response.end(media.bytes);
      return undefined;
    }
    await pipeline(Readable.from(piecesOf(media.size)), response).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ERR_STREAM_PREMATURE_CLOSE") throw error; // the client has seen enough
    });
    return undefined;
  }
}

const sha256Of = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

const piece = randomBytes(1 << 18);

function* piecesOf(size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= piece.length) yield piece.subarray(0, Math.min(left, piece.length));
}
