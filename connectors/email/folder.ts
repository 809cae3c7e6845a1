// One IMAP folder on a connection of its own: what is new is delivered in the order of its UIDs, whether or not it was read elsewhere; then IDLE waits for more.
import { ImapFlow, type ImapFlowError } from "imapflow";
import { type Context, reconnect, within } from "spoolway/sdk";
import { imapFate } from "spoolway/sdk/imap-fate";
import { mailDraft, type ReadPart } from "spoolway/sdk/mail-draft";
import { followFolder, type NumberedFolder, placeCursor } from "spoolway/sdk/numbered-folder";
import { socketOptions } from "spoolway/sdk/mail-server";
import type { Recent } from "spoolway/sdk/recent";
import type { Config } from "./manifest.d.ts";

const answerMs = 10_000;
const chunkSize = 256 * 1024;
const wanted = {
  ...{ uid: true, envelope: true, bodyStructure: true, headers: true },
  ...{ flags: true, internalDate: true, size: true },
};
type Server = NonNullable<Config["imap"]>;

export class Folder implements NumberedFolder {
  readonly client: ImapFlow;
  readonly name: string;
  readonly #server: Server;
  readonly #ctx: Context<Config>;
  readonly #subjects: Recent<string>;
  /** Why the connection ended. */
  #lost: Error | undefined;
  #wake: () => void = () => undefined;
  #isNews = false;

  private constructor(name: string, server: Server, subjects: Recent<string>, ctx: Context<Config>) {
    const { address, user = address, password: pass } = ctx.config;
    this.name = name;
    this.#server = server;
    this.#ctx = ctx;
    this.#subjects = subjects;
    this.client = new ImapFlow({
      ...socketOptions(server, ctx.config),
      doSTARTTLS: server.security === "starttls",
      auth: { user, pass },
      disableAutoIdle: true,
      logger: false,
    });
    this.client.on("error", (error) => (this.#lost ??= error));
    this.client.on("close", () => this.#wake());
    this.client.on("exists", () => {
      this.#isNews = true;
      this.#wake();
    });
  }

  static async open(
    name: string,
    server: Server,
    subjects: Recent<string>,
    ctx: Context<Config>,
  ): Promise<Folder> {
    const folder = new Folder(name, server, subjects, ctx);
    const { mark_seen, start } = ctx.config;
    const end = (): void => folder.close();
    ctx.signal.addEventListener("abort", end, { once: true });
    try {
      await folder.client.connect();
      const { uidValidity, uidNext } = await folder.client.mailboxOpen(name, { readOnly: !mark_seen });
      await placeCursor(ctx, { name, validity: String(uidValidity), next: uidNext, start });
      return folder;
    } catch (error) {
      folder.close();
      throw folder.#problem(error as ImapFlowError);
    } finally {
      ctx.signal.removeEventListener("abort", end);
    }
  }

  /** Runs until the connection is lost or closed, and then throws. */
  follow(): Promise<never> {
    return followFolder(this, this.#ctx).catch((error: ImapFlowError) => {
      throw this.#problem(error);
    });
  }

  async find(from: number, since: Date | undefined): Promise<number[]> {
    this.#isNews = false; // before we look: RACE what comes meanwhile is looked for again
    const found = await this.client.search({ uid: `${from}:*`, ...(since && { since }) }, { uid: true });
    if (!found) throw reconnect(`the IMAP server does not search ${this.name}`);
    return found;
  }

  async take(uid: number, validity: string): Promise<Date | undefined> {
    const { client, name } = this;
    const { address, aliases, mark_seen } = this.#ctx.config;
    const mail = await client.fetchOne(String(uid), wanted, { uid: true });
    if (!mail) return undefined;
    const read: ReadPart = async function* ({ part = "1" }, maxBytes = Infinity) {
      const { content } = await client.download(String(uid), part, { uid: true, chunkSize, maxBytes });
      if (content) yield* content as AsyncIterable<Buffer>; // an empty part has none
    };
    const place = { folder: name, uidvalidity: validity };
    const draft = await mailDraft(mail, { own: [address, ...aliases], place, read });
    await this.#ctx.deliver(draft);
    const { thread_id: thread, content } = draft;
    if (thread && content?.subject && this.#subjects.get(thread) === undefined)
      await this.#subjects.note(thread, content.subject);
    if (mark_seen) await client.messageFlagsAdd(String(uid), ["\\Seen"], { uid: true });
    return new Date(mail.internalDate ?? Date.now());
  }

  async wait(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    if (this.client.usable && !this.#isNews) await Promise.race([promise, this.client.idle()]);
    if (!this.client.usable) throw this.#lost ?? new Error("the connection was closed");
  }

  /** Ends IDLE as well, so that the folder is looked at again. */
  async probe(): Promise<void> {
    let isAlive = false;
    const answered = this.client.noop().then(() => (isAlive = this.client.usable));
    await within(answerMs, answered);
    if (!isAlive) throw reconnect(`the IMAP server does not answer for ${this.name}`);
  }

  close(): void {
    this.client.close();
  }

  #problem(error: ImapFlowError): Error {
    const saysWhy = "fate" in error || error.authenticationFailed || error.mailboxMissing;
    return imapFate(saysWhy ? error : (this.#lost ?? error), this.name, this.#server);
  }
}
