// What is done with one file of the folder: it is opened, delivered and taken away, or put aside with the reason.
//
//   delivered ──▶ .done/<name>      (move)   removed (delete)   marked in the connector's state (keep)
//   refused   ──▶ .failed/<name> and .failed/<name>.error.json, which says why; with keep it stays where it is
import { basename } from "node:path";
import { type Context, type Draft, SpoolwayError, toSpoolwayError } from "spoolway/sdk";
import type { Entry } from "spoolway/sdk/folder/scan";
import type { Outcome, Taken } from "spoolway/sdk/folder/watch";
import { openUnchanged } from "spoolway/sdk/folder/regular-file";
import { setAside, takeAway } from "spoolway/sdk/folder/set-aside";
import { attachmentOf, defaults, isJson, readJson } from "./event.ts";
import type { Config } from "./manifest.d.ts";

/** In the connector's state: the signature of a kept file that was delivered. */
export const keptKey = (name: string): string => `kept:${name}`;

export class Handler {
  readonly #root: string;
  readonly #ctx: Context<Config>;

  constructor(root: string, ctx: Context<Config>) {
    this.#root = root;
    this.#ctx = ctx;
  }

  /** See FolderWatchOptions.take. */
  async take(entry: Entry, settled: boolean): Promise<Taken> {
    const { config, state } = this.#ctx;
    if (config.after === "keep" && (await state.get(keptKey(entry.name))) === entry.signature) return "stays";
    try {
      if (entry.refusal !== undefined)
        throw new SpoolwayError("not_a_file", `${entry.name}: ${entry.refusal}`);
      return await this.#open(entry, settled);
    } catch (thrown) {
      const error = toSpoolwayError(thrown);
      if (error.fate !== "reject") throw error;
      return !settled && error.code === "unreadable" ? "later" : this.#refuse(entry, error);
    }
  }

  async #open(entry: Entry, settled: boolean): Promise<Taken> {
    const file = await openUnchanged(entry.path, entry.signature);
    if (file === undefined) return "later";
    try {
      if (!isJson(entry)) return await this.#deliver(entry, attachmentOf(entry, file, this.#ctx.signal));
      const draft = await readJson(entry, file, settled);
      return draft === undefined ? "later" : () => this.#deliver(entry, draft);
    } finally {
      await file.close();
    }
  }

  async #deliver(entry: Entry, draft: Draft): Promise<Outcome> {
    const { config, state, log } = this.#ctx;
    const { after, conversation_id: conversation = basename(this.#root) || "folder", sender } = config;
    try {
      await this.#ctx.deliver({ ...defaults(entry, conversation, sender), ...draft });
    } catch (thrown) {
      const error = toSpoolwayError(thrown);
      if (error.code === "file_changed") return "gone"; // seen again, as another file, by the next look
      if (error.fate !== "reject") throw error;
      return this.#refuse(entry, error);
    }
    // COMMIT: the event is durable. A crash from here on finds the file again, with the same key: no second event, and it is taken away then.
    try {
      if (after === "keep") await state.set(keptKey(entry.name), entry.signature);
      else if (!(await takeAway(this.#root, entry.name, entry.signature, after)))
        log.info("file.changed", { file: entry.name });
      return after === "keep" ? "stays" : "gone";
    } catch (error) {
      log.error("file.stuck", { file: entry.name, error: (error as Error).message });
      return "stays";
    }
  }

  /** With keep the folder is only read: the file stays, and the log says why it is no event. */
  async #refuse(entry: Entry, error: SpoolwayError): Promise<Outcome> {
    const fields = { file: entry.name, code: error.code, error: error.message, hint: error.hint };
    try {
      if (this.#ctx.config.after !== "keep") await setAside(this.#root, entry.name, error);
      this.#ctx.log.warn("file.refused", fields);
      return this.#ctx.config.after === "keep" ? "stays" : "gone";
    } catch (thrown) {
      this.#ctx.log.error("file.stuck", { ...fields, move: (thrown as Error).message });
      return "stays";
    }
  }
}
