// The socket below irc-framework: TCP or TLS, line by line. Ours, because the library's own takes neither a CA nor a pinned certificate, and keeps a
// line without an end in memory for ever.
//
//   connect ─▶ (TLS handshake, pin) ─▶ "open" ─▶ "line" … ─▶ "close" (once, with what went wrong or false)
import { EventEmitter } from "node:events";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, TLSSocket } from "node:tls";
import type { Transport } from "irc-framework";

export interface Endpoint {
  host: string;
  port: number;
  /** undefined: no TLS. */
  tls: ConnectionOptions | undefined;
  /** SHA-256 of the server's certificate, hex in any case, with or without colons. */
  fingerprint: string | undefined;
}

const connectTimeoutMs = 20_000;
/** 8191 bytes of tags and 512 of message, twice over: whoever sends more speaks no IRC. */
const maxLineBytes = 17_408;

export class LineSocket extends EventEmitter implements Transport {
  readonly #endpoint: Endpoint;
  #socket: Socket | undefined;
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #error: Error | false = false;

  constructor(endpoint: Endpoint) {
    super();
    this.#endpoint = endpoint;
  }

  connect(): void {
    const { host, port, tls } = this.#endpoint;
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = tls ? connectTls({ ...tls, ...name, host, port }) : connectTcp({ host, port });
    this.#socket = socket;
    socket.setNoDelay(true).setKeepAlive(true, 60_000);
    const late = setTimeout(() => socket.destroy(new Error("no answer within 20 s")), connectTimeoutMs);
    socket.once(tls ? "secureConnect" : "connect", () => {
      clearTimeout(late);
      if (!this.#isPinned(socket)) socket.destroy(new FingerprintError(socket as TLSSocket));
      else this.emit("open");
    });
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => (this.#error = error));
    socket.once("close", () => {
      clearTimeout(late);
      this.#socket = undefined;
      this.emit("close", this.#error);
    });
  }

  /** The last gate before the wire: whatever the caller let through, one call is one line. */
  writeLine(line: string, callback?: () => void): void {
    this.#socket?.write(`${line.replace(/[\r\n\u0000]/g, " ")}\r\n`, callback);
  }

  close(force: boolean): void {
    if (force || this.#socket?.connecting) this.#socket?.destroy();
    else this.#socket?.end();
  }

  disposeSocket(): void {
    this.#socket?.destroy();
  }

  setEncoding(encoding: string): boolean {
    return encoding === "utf8";
  }

  /** Stops reading: the server waits, and so does its PONG. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  #isPinned(socket: Socket): boolean {
    const wanted = this.#endpoint.fingerprint;
    return (
      wanted === undefined ||
      hex(wanted) === hex((socket as TLSSocket).getPeerX509Certificate()?.fingerprint256 ?? "")
    );
  }

  #read(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const line = Buffer.concat([...this.#partial, chunk.subarray(start, end)]);
      this.#partial = [];
      this.#partialBytes = 0;
      start = end + 1;
      this.emit("line", decode(line));
    }
    if (start === chunk.length) return;
    this.#partial.push(chunk.subarray(start));
    this.#partialBytes += chunk.length - start;
    if (this.#partialBytes > maxLineBytes)
      this.#socket?.destroy(new Error("the server sent a line without an end"));
  }
}

/** The certificate is not the one that was pinned. */
export class FingerprintError extends Error {
  constructor(socket: TLSSocket) {
    super(`the server's certificate has the fingerprint ${socket.getPeerX509Certificate()?.fingerprint256}`);
  }
}

const hex = (fingerprint: string): string => fingerprint.replaceAll(":", "").toLowerCase();

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin = new TextDecoder("windows-1252");

/** IRC has no encoding; what is not UTF-8 comes from an old client, and there Windows-1252 is the best guess. */
function decode(line: Buffer): string {
  try {
    return utf8.decode(line);
  } catch {
    return latin.decode(line); // the only thing that a fatal decoder throws for is invalid UTF-8
  }
}
