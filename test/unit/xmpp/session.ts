// A session of XMPP on a stream that a test scripts: what the session says is kept; what it is answered, and what is said to it, is the test's.
import { createRequire } from "node:module";
import { join } from "node:path";
import { Lifeline } from "../../../runtime/sdk/lifeline.ts";
import type { Build, Stanza } from "../../../runtime/sdk/xmpp/stanzas.ts";
import { XmppAcks } from "../../../runtime/sdk/xmpp/acks.ts";
import { type XmppConfig, XmppSession, type XmppStream } from "../../../runtime/sdk/xmpp/session.ts";
import { projectRoot } from "../../helpers/command.ts";
import { TestContext } from "../../helpers/context.ts";

const require = createRequire(join(projectRoot, "connectors/xmpp/package.json"));
const library = require("@xmpp/xml") as {
  xml: Build<Stanza>;
  Parser: new () => {
    on(event: "element", listener: (one: Stanza) => void): void;
    write(text: string): void;
  };
};

/** An element of its text. */
export function parse(text: string): Stanza {
  const parser = new library.Parser();
  const found: Stanza[] = [];
  parser.on("element", (one) => found.push(one));
  parser.write(`<stream xmlns='jabber:client'>${text}`);
  const [element] = found;
  if (element === undefined) throw new Error(`no element: ${text}`);
  return element;
}

/** What an iq is answered with: its payload, the condition of an error, or nothing at all. */
export type Answer = string | { condition: string } | undefined;

const disco = "http://jabber.org/protocol/disco#info";
export const mam = "urn:xmpp:mam:2";

export class ScriptedStream extends Lifeline implements XmppStream<Stanza> {
  readonly jid = "bot@example.org";
  readonly xml = library.xml;
  readonly source = null;
  /** What is no stanza. */
  readonly told: string[] = [];
  readonly said: Stanza[] = [];
  /** To whom each question went, by its namespace. */
  readonly asked: Array<{ to: string; about: string }> = [];
  /** Who has an archive. */
  readonly archives = new Set<string>();
  readonly acks = new XmppAcks<Stanza>(this.xml, (one) => void this.told.push(String(one)));
  #hear: (stanza: Stanza, done: () => void) => void = () => undefined;

  /** Changed by tests. `about` is the payload's namespace. */
  answer = (_about: string, _to: string, _payload: Stanza): Answer => "";
  #got: (id: string) => void = () => undefined;
  /** Called with what the session says; by default the server has it at once, and rooms let us in, and repeat what is said in them. */
  onSaid = (stanza: Stanza): void => {
    const { to = "", type, id = "" } = stanza.attrs;
    this.#got(id);
    if (stanza.name === "presence" && to) void this.hear(presence(to));
    if (stanza.name === "message" && type === "groupchat")
      void this.hear(String(stanza).replace(/ to="[^"]*"/, ` from="${to}/bot" to="${this.jid}/x"`));
  };

  async login(hear: (stanza: Stanza, done: () => void) => void, got: (id: string) => void): Promise<void> {
    this.#hear = hear;
    this.#got = got;
    this.acks.enable();
    this.acks.follow(parse("<enabled id='1'/>"), `${this.jid}/x`);
  }

  send = (stanza: Stanza): void => {
    this.acks.said(stanza);
    this.said.push(stanza);
    this.onSaid(stanza);
  };

  ask = async (_type: "get" | "set", payload: Stanza, to = this.jid): Promise<Stanza> => {
    const about = payload.attrs.xmlns ?? "";
    this.asked.push({ to, about });
    let answer = this.answer(about, to, payload);
    if (answer === "" && about === disco)
      answer = `<query>${this.archives.has(to) ? `<feature var='${mam}'/>` : ""}</query>`;
    if (answer === "" && about === mam) answer = `<fin xmlns='${mam}' complete='true'/>`;
    if (typeof answer === "string") return parse(`<iq>${answer}</iq>`);
    if (answer === undefined) return this.orLost(new Promise(() => undefined));
    throw Object.assign(new Error("no"), answer);
  };

  /** Somebody says this; resolves when the session is done with it. */
  async hear(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#hear(parse(text), resolve);
    await promise;
  }
}

/** A room says that we are in it. */
export const presence = (from: string, code = 110): string =>
  `<presence from='${from}'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/><status code='${code}'/></x></presence>`;

/** A session that is in its rooms. Call sync, then what is heard is delivered. */
export async function enter(
  config: Partial<XmppConfig> = {},
  prepare: (stream: ScriptedStream) => void = () => undefined,
  values = new Map<string, unknown>(),
): Promise<{
  ctx: TestContext<object>;
  stream: ScriptedStream;
  session: XmppSession<Stanza>;
  sync: (since?: string) => Promise<{ cursor: string; more?: boolean }>;
}> {
  const ctx = new TestContext("xmpp", "/", {}, values);
  const stream = new ScriptedStream();
  prepare(stream);
  const settings = { rooms: [], nick: "bot", resource: "here", receipts: true, retry_s: 0.02, ...config };
  const session = await new XmppSession<Stanza>(ctx, stream, settings).enter();
  const { log, signal, state, name, type, home, fetch, openAttachment, heard } = ctx;
  const deliver = ctx.deliver.bind(ctx);
  const common = { log, signal, state, name, type, home, fetch, openAttachment, heard, deliver };
  const sync = (since?: string) => session.sync(since, { ...common, config: ctx.config, limit: 100 });
  return { ctx, stream, session, sync };
}
