// spoolway/sdk/xmpp/session: a session of XMPP over a stream that a connector brings: present in the rooms, receiving first what the archives kept while we were away and
// then what comes now, and sending with the fate that keeps a message from being lost or doubled.
import {
  type Context,
  type Draft,
  type Outgoing,
  reconnect,
  reject,
  type SendContext,
  type SendResult,
  sleep,
  type SyncContext,
  type SyncResult,
} from "../../sdk.ts";
import { Backlog, type Pausable } from "../backlog.ts";
import { Outcomes } from "../outcomes.ts";
import { utf8Bytes } from "../text/split.ts";
import { conditionOf, type Stanza, type XmppPort } from "./stanzas.ts";
import type { XmppAcks } from "./acks.ts";
import { type Archived, forwardedIn, XmppArchives } from "./archive.ts";
import { contentsOf } from "./content.ts";
import { XmppMessages } from "./message.ts";
import { XmppRooms, type XmppRoomsConfig } from "./rooms.ts";

/** Servers end the stream of who sends larger stanzas than they like, and it would be sent again and again; most take 256 KiB. */
const maxStanzaBytes = 100_000;
const receipts = "urn:xmpp:receipts";
const carbons = "urn:xmpp:carbons:2";
/** Messages of ours that were refused, as whoever dropped them knows; an archive tells it once more. */
const refused = new Set<string>();
const refusedMax = 1000;

export interface XmppConfig extends XmppRoomsConfig {
  resource: string;
  /** Whether senders who ask are told that their message is durable. */
  receipts: boolean;
  /** Seconds between tries to get into a room. */
  retry_s: number;
}

/** The connection that a connector brings. */
export interface XmppStream<S extends Stanza> extends XmppPort<S> {
  readonly lost: AbortSignal;
  readonly acks: XmppAcks<S>;
  /** What can be told to wait; it may change. */
  readonly source: Pausable | null;
  /** Resolves when stanzas can go both ways; each message and presence goes to `hear` from now on, the ids of ours that the server has, to `got`. */
  login(hear: (stanza: S, done: () => void) => void, got: (id: string) => void): Promise<void>;
  orLost<T>(work: Promise<T>): Promise<T>;
  /** Ends it, with a goodbye or without one: then it can be resumed. */
  lose(why: Error, isGoodbye: boolean): void;
}

export class XmppSession<S extends Stanza> {
  readonly #stream: XmppStream<S>;
  readonly #config: XmppConfig;
  readonly #archives: XmppArchives<S>;
  readonly #rooms: XmppRooms<S>;
  readonly #messages: XmppMessages;
  readonly #backlog: Backlog;
  readonly #outcomes: Outcomes;
  #seemsDead = false;

  constructor(ctx: Context, stream: XmppStream<S>, config: XmppConfig) {
    this.#stream = stream;
    this.#config = config;
    const archives = (this.#archives = new XmppArchives(stream));
    const rooms = (this.#rooms = new XmppRooms(stream, ctx, config, (room) => archives.look(room)));
    this.#messages = new XmppMessages({
      jid: stream.jid,
      hasArchive: (owner) => archives.has(owner),
      isRoom: (jid) => rooms.has(jid),
      isSelfInRoom: (stanza) => rooms.isSelf(stanza),
      nickIn: (room) => rooms.nickIn(room),
    });
    this.#backlog = new Backlog(ctx, () => stream.source);
    this.#outcomes = new Outcomes("the server");
    stream.lost.addEventListener("abort", () => this.#outcomes.end((stream.lost.reason as Error).message));
    ctx.signal.addEventListener("abort", () => this.#end());
  }

  /** Resolves when we are logged in and every room has answered. */
  async enter(): Promise<this> {
    const stream = this.#stream;
    const hear = (stanza: S, done: () => void): void => {
      if (stanza.name === "message") return this.#take(stanza, done);
      this.#rooms.follow(stanza);
      done();
    };
    await stream.login(hear, (id) => this.#outcomes.settle(id, { platform_id: id }));
    const { xml } = stream;
    // Where there are no copies, we only do not see what our account says elsewhere.
    await stream.ask("set", xml("enable", { xmlns: carbons })).catch((thrown: unknown) => {
      if (!conditionOf(thrown)) throw thrown;
    });
    await this.#archives.look(stream.jid);
    stream.send(xml("presence"));
    await stream.orLost(this.#rooms.restore());
    return this;
  }

  async run(): Promise<void> {
    for (;;) {
      await this.#stream.orLost(sleep(this.#config.retry_s * 1000, this.#stream.lost));
      await this.#rooms.restore();
    }
  }

  async sync(since: string | undefined, ctx: SyncContext): Promise<SyncResult> {
    const result = await this.#archives.sync(since, ctx, (item) => this.#toDraft(item.stanza, item));
    if (!result.more) this.#backlog.open();
    return result;
  }

  async probe(): Promise<void> {
    this.#seemsDead = true;
    const { xml, ask, acks, jid } = this.#stream;
    acks.ask(); // else what the server never tells us that it has would be remembered for ever
    const alive = ask("get", xml("ping", { xmlns: "urn:xmpp:ping" }), jid.split("@")[1])
      .catch((thrown: unknown) => {
        if (!conditionOf(thrown)) throw thrown; // that it knows no pings is an answer, too
      })
      .then(() => (this.#seemsDead = false));
    await Promise.all([alive, this.#rooms.ping()]);
  }

  async close(): Promise<void> {
    this.#end();
    await this.#backlog.idle();
  }

  async send(message: Outgoing, { attempt, signal }: SendContext): Promise<SendResult> {
    const { conversation_id: to, action } = message;
    const isRoom = this.#rooms.has(to);
    if (isRoom) await this.#rooms.need(to);
    const stanzas = await this.#stanzasOf(message, isRoom);
    for (const stanza of stanzas) {
      const { id = "" } = stanza.attrs;
      if (attempt > 1 && (await this.#hasArrived(to, id))) continue;
      const answer = isRoom && action !== "typing" ? echoOf(id) : id;
      await this.#outcomes.ask(answer, () => this.#say(stanza), signal);
    }
    return resultOf(stanzas);
  }

  /** After a crash: whether all of it has arrived. */
  async reconcile(message: Outgoing): Promise<SendResult | undefined> {
    const { conversation_id: to } = message;
    const stanzas = await this.#stanzasOf(message, this.#rooms.has(to));
    for (const { attrs } of stanzas) if (!(await this.#hasArrived(to, attrs.id ?? ""))) return undefined;
    return resultOf(stanzas);
  }

  /** Their ids are the same in each attempt, and show that they are ours when they come back. */
  async #stanzasOf(message: Outgoing, isRoom: boolean): Promise<S[]> {
    const { xml } = this.#stream;
    const { conversation_id: to, action } = message;
    const nameOf = async (id: string): Promise<string | undefined> =>
      isRoom ? (await this.#find(to, id))?.id : id;
    const isText = action === "message" || action === "edit";
    const request = isText && !isRoom ? xml("request", { xmlns: receipts }) : undefined;
    const stanzas = (await contentsOf(message, this.#stream.xml, nameOf)).map((content, n) => {
      const id = `${this.#config.resource}:${message.id}${n === 0 ? "" : `.${n + 1}`}`;
      const origin = xml("origin-id", { xmlns: "urn:xmpp:sid:0", id });
      return xml("message", { to, id, type: isRoom ? "groupchat" : "chat" }, content, origin, request);
    });
    const large = stanzas.map((one) => utf8Bytes(one.toString())).find((bytes) => bytes > maxStanzaBytes);
    if (large) throw reject(`a stanza of ${large} bytes, at most ${maxStanzaBytes}`, "too_large");
    return stanzas;
  }

  /** With the question whether the server has it. */
  #say(stanza: S): void {
    this.#stream.send(stanza);
    this.#stream.acks.ask();
  }

  #find(to: string, id: string): Promise<Archived | undefined> {
    return this.#archives.find(this.#rooms.has(to) ? to.toLowerCase() : undefined, to, id);
  }

  async #hasArrived(to: string, id: string): Promise<boolean> {
    return this.#stream.acks.hasArrived(id) || (await this.#find(to, id)) !== undefined;
  }

  #settle(id: string, answer: SendResult | Error): boolean {
    return [id, echoOf(id)].map((one) => this.#outcomes.settle(one, answer)).includes(true);
  }

  #take(stanza: S, done: () => void): void {
    const { from = this.#stream.jid, id = "", type } = stanza.attrs;
    const isRefusal = type === "error" && this.#settle(id, this.#rooms.refusal(stanza));
    if (isRefusal) refused.add(id);
    for (const oldest of refused) if (refused.size > refusedMax) refused.delete(oldest);
    if (isRefusal || this.#archives.take(stanza)) return done();
    // What our account said or was told elsewhere: nobody but our own server may say so.
    const copies =
      from === this.#stream.jid ? ["sent", "received"].map((one) => stanza.getChild(one, carbons)) : [];
    const copied = copies.map((one) => one && forwardedIn(one)?.stanza).find(Boolean);
    const draft = this.#toDraft(copied ?? stanza);
    if (draft === undefined) return done();
    const isTalk = type === undefined || type === "normal" || type === "chat";
    const isAsked = this.#config.receipts && isTalk && id && stanza.getChild("request", receipts);
    const settled = (error?: Error): void => {
      done();
      if (isAsked && !error) this.#confirm(from, id, type);
    };
    this.#backlog.add({ draft, bytes: stanza.toString().length, settled });
  }

  /** Its id shows what it is, should it come back as an error. */
  #confirm(to: string, id: string, type: string | undefined): void {
    const { xml, send } = this.#stream;
    send(xml("message", { to, type, id: this.#confirmed + id }, xml("received", { xmlns: receipts, id })));
  }

  get #confirmed(): string {
    return `${this.#config.resource}:received `;
  }

  /** Our own words that come back, as a room's echo or from an archive, are no event. */
  #toDraft(stanza: Stanza, archived?: Archived): Draft | undefined {
    const draft = this.#messages.toDraft(stanza, archived);
    const { isSelf, id = "", ids } = this.#messages.origin(stanza);
    const isKnown = id.startsWith(this.#confirmed) || (archived !== undefined && refused.has(id));
    if (stanza.attrs.type === "error") return isKnown ? undefined : draft;
    const own = isSelf ? ids.find((one) => one.startsWith(`${this.#config.resource}:`)) : undefined;
    if (own === undefined) return draft;
    this.#settle(own, { platform_id: own });
    return undefined;
  }

  #end(): void {
    this.#stream.lose(reconnect("the session is over"), !this.#seemsDead);
  }
}

/** What a message to a room waits for: not that the server has it, but that the room has said it to everybody. */
const echoOf = (id: string): string => `${id} in the room`;

function resultOf(stanzas: Stanza[]): SendResult {
  const ids = stanzas.map(({ attrs }) => attrs.id ?? "");
  return { platform_id: ids[0], platform_ids: ids.length > 1 ? ids : undefined };
}
