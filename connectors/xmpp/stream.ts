// One stream to the server. @xmpp/client opens it, logs in and binds our resource; encryption is ours, since it verifies only with the system's CAs, and so is stream
// management (XEP-0198): the library's own acknowledges what is not durable yet.
import { randomUUID } from "node:crypto";
import { StringDecoder } from "node:string_decoder";
import { type Client, client, type Element, xml } from "@xmpp/client";
import { reconnect, SpoolwayError, stop } from "spoolway/sdk";
import { Lifeline } from "spoolway/sdk/lifeline";
import { connectServer, serverProblem, startTls } from "spoolway/sdk/socket/server";
import { ackNamespace, XmppAcks } from "spoolway/sdk/xmpp/acks";
import { type Scram, scramMechanisms } from "spoolway/sdk/xmpp/scram";
import type { XmppStream } from "spoolway/sdk/xmpp/session";
import { conditionIn, wordsIn } from "spoolway/sdk/xmpp/stanzas";
import type { Config } from "./manifest.d.ts";

export type Settings = Config & Record<"server" | "username" | "domain" | "resource" | "nick", string>;

const ports = { plain: 5222, tls: 5223 };
const streamNamespace = "http://etherx.jabber.org/streams";
const loginNamespace = "urn:ietf:params:xml:ns:xmpp-sasl";
const tlsNamespace = "urn:ietf:params:xml:ns:xmpp-tls";
const answerMs = 10_000;
/** What XML cannot hold: a server ends the stream of whoever sends it. */
const illegal = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;
const loginHint = "Check jid and password in connectors.yml.";
const unsafeHint =
  "Over TLS any login will do: is this the port for STARTTLS, or does it need direct_tls: true?";
const acksHint =
  "Ask its operator to turn it on (prosody: smacks, ejabberd: mod_stream_mgmt), or use another server.";
const conflictHint = "Another program uses our resource: give each its own `resource`.";

export class Stream extends Lifeline implements XmppStream<Element> {
  readonly xml = xml;
  readonly jid: string;
  readonly acks = new XmppAcks(xml, (element) => this.#say(element));
  readonly #settings: Settings;
  readonly #client: Client;
  readonly #ready = Promise.withResolvers<void>();
  #login: Scram | undefined;
  /** What the server offers, while it is asked for our last stream. */
  #offer: Element | undefined;

  constructor(settings: Settings) {
    super();
    const { jid, username, domain, resource, password } = settings;
    this.jid = jid;
    this.#settings = settings;
    const entity = (this.#client = client({
      domain,
      resource,
      credentials: async (authenticate, offered) => {
        const isSafe = (one: string): boolean =>
          entity.isSecure() ? one !== "ANONYMOUS" : one.startsWith("SCRAM");
        const mechanism = offered.find(isSafe);
        if (mechanism === undefined) throw stop(`${domain} offers no safe login`, unsafeHint);
        await authenticate({ username, password: password.trimEnd() }, mechanism);
      },
    }));
    const { _mechs: mechanisms } = entity.saslFactory;
    mechanisms.splice(0, 1, ...scramMechanisms((login) => (this.#login = login)));
    entity.reconnect.stop();
    entity.timeout = answerMs;
    entity.Transport = entity._findTransport("xmpp://localhost");
    entity.Parser = entity.Transport?.prototype.Parser;
    entity.on("online", () => this.acks.enable());
    entity.on("error", (error: Error) => this.lose(this.#problem(error)));
    entity.on("close", () => this.lose(reconnect(`${domain} has ended the stream`)));
    entity.on("disconnect", () => this.lose(reconnect(`${domain} has ended the connection`)));
  }

  get source(): Client["socket"] {
    return this.#client.socket;
  }

  login(hear: (stanza: Element, done: () => void) => void, got: (id: string) => void): Promise<void> {
    const entity = this.#client;
    const { tls, direct_tls, domain } = this.#settings;
    const { write, send, _onElement: goOn } = entity;
    const decoder = new StringDecoder("utf8"); // a character may come in two pieces
    entity._onData = (data) => this.#try(() => entity.parser?.write(decoder.write(data)));
    entity.write = (text) => write.call(entity, text.toWellFormed().replace(illegal, "\ufffd"));
    entity.send = (element) => {
      if (entity.isStanza(element)) this.acks.said(element);
      return send.call(entity, element);
    };
    entity._onElement = (element) => {
      if (element.is("error", streamNamespace)) return void this.lose(this.#ended(element));
      if (tls && !entity.isSecure()) return this.#inClear(element, goOn);
      if (element.is("success", loginNamespace)) this.#login?.finish(element.text());
      if (element.getNS() === ackNamespace) return this.#follow(element, got, goOn);
      const done = entity.isStanza(element) ? this.acks.take() : undefined;
      if (done && element.name !== "iq") return hear(element, done);
      if (!element.is("features") || this.#negotiate(element)) goOn.call(entity, element);
      done?.();
    };
    const socket = connectServer({ ...this.#settings, tls: false }, ports, () =>
      this.#try(() => (tls && direct_tls ? this.#encrypt() : entity.open({ domain }))),
    );
    entity._attachSocket(socket);
    return this.orLost(this.#ready.promise);
  }

  send = (stanza: Element): void => this.#try(() => this.lost.aborted || this.#client.send(stanza));

  ask = (type: "get" | "set", payload: Element, to?: string): Promise<Element> => {
    const answer = this.#client.iqCaller.request(
      xml("iq", { type, to, id: randomUUID() }, payload),
      answerMs,
    );
    const inWords = (error: Error): never => {
      throw error.message ? error : new Error(`${to ?? this.#settings.domain} did not answer in time`);
    };
    return this.orLost(answer.catch(inWords));
  };

  /** Ends it. Without a goodbye the server keeps our place for some minutes, to be resumed. */
  override lose(why: Error, isGoodbye = false): boolean {
    if (isGoodbye && !this.lost.aborted) this.acks.end();
    const isEnd = super.lose(why);
    if (isEnd && isGoodbye) this.source?.end("</stream:stream>");
    else if (isEnd) this.source?.destroy();
    return isEnd;
  }

  /** Before TLS anybody on the way can speak for the server: nothing is heard but that TLS begins. */
  #inClear(element: Element, goOn: (element: Element) => void): void {
    const { domain } = this.#settings;
    if (element.getNS() === tlsNamespace) goOn.call(this.#client, element);
    else if (!element.is("features"))
      this.lose(reconnect(`${domain} sent <${element.name}> before the encryption`));
    else if (element.getChild("starttls", tlsNamespace)) this.#try(() => this.#startTls());
    else this.lose(stop(`${domain} offers no safe login`, unsafeHint));
  }

  /** Whether the library goes on with what is offered; it is not shown what is ours. */
  #negotiate(offer: Element): boolean {
    const { domain } = this.#settings;
    const hasAcks = offer.getChild("sm") !== undefined;
    for (const name of ["starttls", "sm", "authentication"]) offer.remove(name);
    if (offer.getChild("bind") === undefined) return true;
    if (!hasAcks) this.lose(stop(`${domain} has no stream management`, acksHint));
    this.#offer = offer;
    return !this.acks.resume();
  }

  #follow(element: Element, got: (id: string) => void, goOn: (offer: Element) => void): void {
    const now = this.acks.follow(element, String(this.#client.jid));
    now.got?.forEach(got);
    if (now.begun !== undefined) this.#client._jid(now.begun);
    if (now.begun !== undefined) this.#ready.resolve();
    if (now.gone && this.#offer) goOn.call(this.#client, this.#offer);
    if (now.refused) this.lose(reconnect("the server refuses stream management now"));
  }

  async #startTls(): Promise<void> {
    const answer = await this.#client.sendReceive(xml("starttls", { xmlns: tlsNamespace }), answerMs);
    if (!answer.is("proceed")) throw reconnect(`${this.#settings.domain} does not begin TLS now`);
    await this.#encrypt();
  }

  async #encrypt(): Promise<void> {
    const { source } = this;
    if (source === null) return;
    this.#client._detachSocket();
    const secured = await startTls(source, this.#settings, this.#settings.domain);
    this.#client._attachSocket(Object.assign(secured, { secure: true }));
    await this.#client.restart();
  }

  #say(element: Element): void {
    this.#try(() => this.lost.aborted || this.#client.write(element.toString()));
  }

  #try(work: () => unknown): void {
    const lose = (error: Error): boolean => this.lose(this.#problem(error));
    try {
      Promise.resolve(work()).catch(lose);
    } catch (error) {
      lose(error as Error);
    }
  }

  /** What the server says when it ends the stream. */
  #ended(error: Element): SpoolwayError {
    const words = `${this.#settings.domain}: ${wordsIn(error)}`;
    return conditionIn(error) === "conflict" ? stop(words, conflictHint, "conflict") : reconnect(words);
  }

  #problem(error: Error & { condition?: string }): SpoolwayError {
    const { domain, direct_tls, tls } = this.#settings;
    const { name, condition = "", message } = error;
    if (error instanceof SpoolwayError) return error;
    const words = `${domain}: ${message}`;
    if (name === "SASLError" && condition !== "temporary-auth-failure") return stop(words, loginHint);
    const hint = condition === "conflict" ? conflictHint : undefined;
    if (condition !== "") return reconnect(words, hint === undefined ? {} : { hint });
    const { port = ports.plain } = this.#settings;
    return serverProblem(error, { ...this.#settings, port, tls: tls && direct_tls }, ports);
  }
}
