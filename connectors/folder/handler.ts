// What is done with one file of the folder: it is opened, delivered and taken away, or put aside with the reason.
import { type Context, type Draft, SpoolwayError, toSpoolwayError } from "spoolway/sdk";
import { forgetKept, putAside, takeAway, wasKept } from "./away.ts";
import { type Defaults, fileDraft, isJson, openEntry, readJson, same } from "./intake.ts";
import { type FolderConfig, nameOf } from "./place.ts";
import type { Entry } from "./scan.ts";

export class Handler {
  /** The change time is part of a file's identity where files are taken away (see scan.ts). */
  readonly changeTime: boolean;
  readonly #root: string;
  readonly #ctx: Context<FolderConfig>;
  readonly #defaults: Defaults;
  /** Files that are done with and still there. */
  readonly #handled = new Map<string, string[]>();

  constructor(root: string, ctx: Context<FolderConfig>) {
    this.#root = root;
    this.#ctx = ctx;
    this.#defaults = {
      conversationId: ctx.config.conversation_id ?? nameOf(root),
      sender: ctx.config.sender,
    };
    this.changeTime = ctx.config.after !== "keep";
  }

  isHandled(entry: Entry): boolean {
    const signature = this.#handled.get(entry.name);
    return signature !== undefined && same(signature, entry.signature);
  }

  /** Forgets what is not there any more. */
  async forget(present: ReadonlySet<string>): Promise<void> {
    for (const name of this.#handled.keys()) {
      if (present.has(name)) continue;
      this.#handled.delete(name);
      if (this.#ctx.config.after === "keep") await forgetKept(name, this.#ctx.state);
    }
  }

  /** Begins with a file: its delivery, "later", or undefined when there is nothing more to do. Resolves once its place in the order is taken. */
  async take(entry: Entry, settled: boolean): Promise<{ done: Promise<void> } | "later" | undefined> {
    if (this.#ctx.config.after === "keep" && (await wasKept(entry, this.#ctx.state))) {
      this.#handled.set(entry.name, entry.signature);
      return undefined;
    }
    if (entry.refusal !== undefined) {
      await this.#refuse(entry, new SpoolwayError("not_a_file", `${entry.name}: ${entry.refusal}`));
      return undefined;
    }
    try {
      return await this.#open(entry, settled);
    } catch (thrown) {
      const error = toSpoolwayError(thrown);
      if (error.fate !== "reject") throw error;
      if (!settled && error.code === "unreadable") return "later";
      await this.#refuse(entry, error);
      return undefined;
    }
  }

  async #open(entry: Entry, settled: boolean): Promise<{ done: Promise<void> } | "later"> {
    const handle = await openEntry(entry, this.changeTime);
    if (handle === undefined) return "later";
    try {
      if (isJson(entry)) {
        const draft = await readJson(entry, handle, settled, this.#defaults);
        if (draft === undefined) return "later";
        const done = this.#deliver(entry, draft);
        done.catch(() => undefined); // whoever waits for `done` throws it
        return { done };
      }
      const draft = fileDraft(entry, handle, this.changeTime, this.#ctx.signal, this.#defaults);
      await this.#deliver(entry, draft);
      return { done: Promise.resolve() };
    } finally {
      await handle.close();
    }
  }

  async #deliver(entry: Entry, draft: Draft): Promise<void> {
    try {
      await this.#ctx.deliver(draft);
    } catch (thrown) {
      const error = toSpoolwayError(thrown);
      if (error.code === "file_changed") return; // seen again, as another file, by the next look
      if (error.fate !== "reject") throw error;
      return this.#refuse(entry, error);
    }
    // COMMIT: the event is durable. A crash from here on finds the file again, with the same key: no second event, and it is taken away then.
    try {
      const away = await takeAway(this.#root, entry, this.#ctx.config.after, this.#ctx.state);
      if (away && this.#ctx.config.after === "keep") this.#handled.set(entry.name, entry.signature);
      if (!away) this.#ctx.log.info("file.changed", { file: entry.name });
    } catch (error) {
      this.#handled.set(entry.name, entry.signature);
      this.#ctx.log.error("file.stuck", { file: entry.name, error: (error as Error).message });
    }
  }

  /** With keep the folder is only read: the file stays, and the log says why it is no event. */
  async #refuse(entry: Entry, error: SpoolwayError): Promise<void> {
    const fields = { file: entry.name, code: error.code, error: error.message, hint: error.hint };
    this.#handled.set(entry.name, entry.signature);
    try {
      if (this.#ctx.config.after !== "keep") await putAside(this.#root, entry, error);
      this.#ctx.log.warn("file.refused", fields);
    } catch (thrown) {
      this.#ctx.log.error("file.stuck", { ...fields, move: (thrown as Error).message });
    }
  }
}
