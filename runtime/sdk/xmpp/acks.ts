// spoolway/sdk/xmpp/acks: stream management (XEP-0198). Each side counts the stanzas that it gets; we tell the server only of what is dealt with for good, and what was
// lost with a connection comes again when the stream is resumed on the next one.
//
//   enable ─▶ enabled ─▶ lost ─▶ resume ─▶ resumed: what the server had not got by then is sent again by the runtime, what it had got has arrived
//                                     └─▶ gone: the same, but that a new stream begins
import { CountedIn, CountedOut } from "../counted.ts";
import type { Build, Stanza } from "./stanzas.ts";

export const ackNamespace = "urn:xmpp:sm:3";
const lateMax = 1000;

/** The last stream of this process, as long as the server may have it. */
let last: { id: string; jid: string; incoming: CountedIn; outgoing: CountedOut<string> } | undefined;
/** Ids of messages that have arrived, as the server told only after the connection was lost. */
const late = new Set<string>();

export class XmppAcks<S extends Stanza> {
  readonly #xml: Build<S>;
  readonly #write: (element: S) => void;
  #incoming = new CountedIn();
  #outgoing = new CountedOut<string>();
  #hasBegun = false;
  /** How much the server was told that we have of the last stream, while it is asked for that. */
  #resumed: number | undefined;

  /** `write` is for what is no stanza and not counted. */
  constructor(xml: Build<S>, write: (element: S) => void) {
    this.#xml = xml;
    this.#write = write;
  }

  /** To be called with each stanza that comes, before anything else; what is returned, when it is dealt with for good. */
  take(): () => void {
    return this.#incoming.take();
  }

  /** To be called with each stanza that goes, in the order of writing. */
  said(stanza: Stanza): void {
    this.#outgoing.add(stanza.name === "message" ? (stanza.attrs.id ?? "") : "");
  }

  /** Asks for our last stream; false where there is none. */
  resume(): boolean {
    if (last === undefined) return false;
    this.#resumed = last.incoming.handled;
    this.#say("resume", { previd: last.id, h: this.#resumed });
    return true;
  }

  /** Begins to count, once our resource is bound. */
  enable(): void {
    this.#outgoing = new CountedOut();
    this.#say("enable", { resume: "true" });
  }

  /** Asks how far the server is. */
  ask(): void {
    this.#say("r");
  }

  /**
   * What the server says of it. At once, since what comes next counts already. `begun`: stanzas can go, on our address `jid`; `gone`: a resource has to be bound; `refused`:
   * it does not do it; `got`: it has these messages.
   */
  follow(
    { name, attrs }: Stanza,
    jid: string,
  ): { begun?: string; gone?: true; refused?: true; got?: string[] } {
    const count = Number(attrs.h);
    if (name === "r") this.#tell();
    if (name === "a") return { got: this.#outgoing.ack(count).filter(Boolean) };
    if (name === "enabled") return this.#begin(attrs.id, jid, new CountedIn(), this.#outgoing);
    const resumed = this.#resumed;
    if (name === "failed" && resumed === undefined) return { refused: true };
    if (name !== "resumed" && name !== "failed") return {};
    const before = last;
    for (const id of before?.outgoing.ack(count) ?? []) late.add(id);
    for (const id of late) if (late.size > lateMax) late.delete(id);
    this.#resumed = undefined;
    this.forget();
    if (name === "failed") return { gone: true };
    return this.#begin(
      before?.id,
      before?.jid ?? jid,
      new CountedIn(resumed), // what was dealt with since comes again
      new CountedOut(count),
    );
  }

  /** After our goodbye there is nothing to resume. */
  forget(): void {
    last = undefined;
  }

  /** Before our goodbye: what the server does not know us to have goes to others, or back as an error. */
  end(): void {
    if (this.#hasBegun) this.#say("a", { h: this.#incoming.handled });
    this.forget();
  }

  hasArrived(id: string): boolean {
    return late.has(id);
  }

  #begin(
    id: string | undefined,
    jid: string,
    incoming: CountedIn,
    outgoing: CountedOut<string>,
  ): { begun: string } {
    this.#hasBegun = true;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    // A server may count without keeping the stream: then it gives no id.
    if (id) last = { id, jid, incoming, outgoing };
    return { begun: jid };
  }

  /** How far we are: now, since a server gives up on who does not answer, and when the rest is dealt with. */
  #tell(): void {
    const incoming = this.#incoming;
    const said = incoming.handled;
    this.#say("a", { h: said });
    incoming.whenHandled(() => incoming.handled !== said && this.#say("a", { h: incoming.handled }));
  }

  #say(name: string, attrs: Record<string, string | number> = {}): void {
    this.#write(this.#xml(name, { xmlns: ackNamespace, ...attrs }));
  }
}
