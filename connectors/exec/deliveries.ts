// Events on their way into the inbox: in the program's order, a bounded number at once. Whoever adds waits for room, which stops the reading
// of stdout, which in the end stops the program: backpressure instead of memory.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { type Context, type Draft, sleep, SpoolwayError, toSpoolwayError } from "spoolway/sdk";
import type { AttachedFile } from "./protocol.ts";

export interface ProgramEvent {
  draft: Draft;
  ack: string | number | undefined;
  files: AttachedFile[];
}

const maxWaiting = 64;
const maxWaitingBytes = 4 << 20;
const retryBaseMs = 1000;
const retryMaxMs = 30_000;

export class Deliveries {
  readonly #ctx: Context<unknown>;
  readonly #cwd: string;
  readonly #answer: (line: object) => void;
  readonly #queue: ProgramEvent[] = [];
  #running: Promise<void> | undefined;
  #queuedBytes = 0;
  #room: (() => void) | undefined;
  delivered = 0;

  /** `answer` gets {"delivered": ack} or {"refused": ack, …} of the events that asked for it. */
  constructor(ctx: Context<unknown>, cwd: string, answer: (line: object) => void) {
    this.#ctx = ctx;
    this.#cwd = cwd;
    this.#answer = answer;
  }

  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Takes an event whose line had so many bytes; resolves when there is room for the next. */
  async add(event: ProgramEvent, bytes: number): Promise<void> {
    this.#queue.push(event);
    this.#queuedBytes += bytes;
    this.#running ??= this.#run();
    if (this.#queue.length >= maxWaiting || this.#queuedBytes >= maxWaitingBytes)
      await new Promise<void>((resolve) => (this.#room = resolve));
  }

  /** Resolves when everything that was taken is delivered, refused or given up. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // In the next turn, so that the events of one chunk share a commit.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const window = this.#queue.splice(0, this.#windowSize());
      if (this.#queue.length === 0) this.#queuedBytes = 0;
      if (this.#queue.length < maxWaiting) this.#room?.();
      await Promise.all(window.map((event) => this.#deliver(event)));
    }
    this.#running = undefined;
  }

  /** Streaming an attachment takes its time, and nothing behind it may overtake: such an event goes alone. */
  #windowSize(): number {
    const first = this.#queue.findIndex((event) => hasBytes(event.draft) || event.files.length > 0);
    return first === 0 ? 1 : first < 0 ? maxWaiting : first;
  }

  async #deliver(event: ProgramEvent): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const error = await this.#try(event);
      if (error === undefined) {
        this.delivered += 1;
        if (event.ack !== undefined) this.#answer({ delivered: event.ack });
        return;
      }
      const fields = {
        code: error.code,
        error: error.message,
        ...(event.ack === undefined ? {} : { ack: event.ack }),
      };
      if (error.fate === "reject") {
        this.#ctx.log.warn("event.refused", { ...fields, hint: error.hint });
        if (event.ack !== undefined) this.#answer({ refused: event.ack, error: error.message });
        return;
      }
      // The program cannot be asked to say it again: it is kept and tried until it can be written. Without jitter, so that those of one
      // window stay in order.
      if (this.#ctx.signal.aborted) {
        this.#ctx.log.error("event.lost", fields);
        return;
      }
      if (attempt === 1) this.#ctx.log.warn("event.delayed", fields);
      await sleep(Math.min(retryMaxMs, retryBaseMs * 2 ** Math.min(10, attempt - 1)), this.#ctx.signal);
    }
  }

  async #try(event: ProgramEvent): Promise<SpoolwayError | undefined> {
    const draft = await this.#withFiles(event).catch(toSpoolwayError);
    if (draft instanceof SpoolwayError) return draft;
    return this.#ctx.deliver(draft).then(() => undefined, toSpoolwayError);
  }

  /** The draft with a stream for each file; opened at each try, because a stream is read only once. */
  async #withFiles({ draft, files }: ProgramEvent): Promise<Draft> {
    if (files.length === 0) return draft;
    const attachments = [...(draft.content?.attachments ?? [])];
    for (const { index, path } of files) {
      const attachment = attachments[index];
      if (attachment === undefined) continue;
      attachments[index] = { ...attachment, data: await openRegular(resolve(this.#cwd, path)) };
    }
    return { ...draft, content: { ...draft.content, attachments } };
  }
}

/** A stream of a regular file's bytes. Throws with fate reject; never hangs on a FIFO. */
async function openRegular(path: string) {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    if ((await file.stat()).isFile()) return file.createReadStream();
    await file.close();
    throw new Error("not a regular file");
  } catch (error) {
    throw new SpoolwayError("attachment_missing", `${path}: ${(error as Error).message}`, { cause: error });
  }
}

const hasBytes = (draft: Draft): boolean =>
  draft.content?.attachments?.some((item) => item.data !== undefined) ?? false;
