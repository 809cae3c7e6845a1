// One IMAP folder on a connection of its own: what is new is delivered in the order of its UIDs, whether or not it was read elsewhere; then IDLE waits for more.
import { ImapFlow, type ImapFlowError } from "imapflow";
import { type Context, reconnect, within } from "spoolway/sdk";
import { imapFate } from "spoolway/sdk/mail/imap-fate";
import { imapPart } from "spoolway/sdk/mail/imap-part";
import { mailDraft, mailItems } from "spoolway/sdk/mail/draft";
import { mailOptions } from "spoolway/sdk/mail/server";
import { followFolder, News, type NumberedFolder, placeCursor } from "spoolway/sdk/mail/numbered-folder";
import type { Recent } from "spoolway/sdk/recent";
import type { Config } from "./manifest.d.ts";

const answerMs = 10_000;
type Server = NonNullable<Config["imap"]>;

export class Folder implements NumberedFolder {
  readonly client: ImapFlow;
  readonly name: string;
  readonly #server: Server;
  readonly #ctx: Context<Config>;
  readonly #subjects: Recent<string>;
  /** Why the connection ended. */
  #lost: Error | undefined;
  readonly #news = new News();

  private constructor(name: string, server: Server, subjects: Recent<string>, ctx: Context<Config>) {
    this.name = name;
    this.#server = server;
    this.#ctx = ctx;
    this.#subjects = subjects;
    this.client = new ImapFlow({ ...mailOptions(server, ctx.config), disableAutoIdle: true, logger: false });
    this.client.on("error", (error) => (this.#lost ??= error));
    for (const event of ["close", "exists"] as const) this.client.on(event, () => this.#news.tell());
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
      const existing = (error as ImapFlowError).mailboxMissing ? await folder.#others() : [];
      folder.close();
      throw folder.#problem(error as ImapFlowError, existing);
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
    this.#news.forget(); // before we look: RACE what comes meanwhile is looked for again
    const found = await this.client.search({ uid: `${from}:*`, ...(since && { since }) }, { uid: true });
    if (!found) throw reconnect(`the IMAP server does not search ${this.name}`);
    return found;
  }

  async take(uid: number, validity: string): Promise<Date | undefined> {
    const { client, name } = this;
    const { address, aliases, mark_seen } = this.#ctx.config;
    const mail = await client.fetchOne(String(uid), mailItems, { uid: true });
    if (!mail) return undefined;
    const place = { folder: name, uidvalidity: validity };
    const draft = await mailDraft(mail, {
      own: [address, ...aliases],
      place,
      read: (part, maxBytes) => imapPart(client, this.#ctx, { ...place, uid }, part, maxBytes),
    });
    await this.#ctx.deliver(draft);
    const { thread_id: thread, content } = draft;
    if (thread && content?.subject && this.#subjects.get(thread) === undefined)
      await this.#subjects.note(thread, content.subject);
    if (mark_seen) await client.messageFlagsAdd(String(uid), ["\\Seen"], { uid: true });
    return new Date(mail.internalDate ?? Date.now());
  }

  async wait(): Promise<void> {
    const { client } = this;
    if (client.usable && !this.#news.isThere) await Promise.race([this.#news.come(), client.idle()]);
    if (!client.usable) throw this.#lost ?? new Error("the connection was closed");
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

  /** By name; none where the server does not even say that. */
  #others(): Promise<string[]> {
    const named = this.client.list().then((all) => all.map(({ path }) => path));
    return named.catch(() => []); // it is for the hint only: the error says the rest
  }

  #problem(error: ImapFlowError, existing?: string[]): Error {
    const saysWhy = "fate" in error || error.authenticationFailed || error.mailboxMissing;
    return imapFate(saysWhy ? error : (this.#lost ?? error), this.name, this.#server, existing);
  }
}
