// spoolway/sdk/xmpp/stanzas: what the parts for XMPP (spoolway/sdk/xmpp/…) stand on: stanzas as a library gives them, a connection that they go over, addresses, and the words in which
// XMPP says no. Each part is one job of the protocol and knows no library; a connector brings the stream.
import { reject, retry, type SpoolwayError } from "../../sdk.ts";

/** An element as xmpp.js (ltx) has it. */
export interface Stanza {
  name: string;
  attrs: Record<string, string | undefined>;
  getChild(name: string, xmlns?: string): Stanza | undefined;
  getChildren(name: string, xmlns?: string): Stanza[];
  getChildText(name: string, xmlns?: string): string | null;
  getChildElements(): Stanza[];
  text(): string;
  toString(): string;
}

type Child<S> = S | string | undefined;
/** Makes an element; children and attributes that are undefined are left out. */
export type Build<S> = (
  name: string,
  attrs?: Record<string, string | number | undefined>,
  ...children: Array<Child<S> | Array<Child<S>>>
) => S;

/** Stanzas in both directions. */
export interface XmppPort<S extends Stanza = Stanza> {
  readonly xml: Build<S>;
  /** Our own address, without a resource. */
  readonly jid: string;
  send(stanza: S): void;
  /** An iq with this payload; resolves with its answer, rejects with an error that has the `condition`, or because nobody answers. */
  ask(type: "get" | "set", payload: S, to?: string): Promise<Stanza>;
}

export const bareOf = (jid = ""): string => jid.split("/", 1)[0] ?? "";
export const resourceOf = (jid = ""): string => jid.slice(bareOf(jid).length + 1);
/** The condition of an error that `ask` rejected with. */
export const conditionOf = (thrown: unknown): string => (thrown as { condition?: string }).condition ?? "";

const refusedHint = "Is the address right? A room has to be among rooms, and has to let us speak.";

/** Why the server, the room or the other one does not take a message. */
export function refusalOf(stanza: Stanza): SpoolwayError {
  const words = `${stanza.attrs.from}: ${wordsOf(stanza)}`;
  const isForNow = stanza.getChild("error")?.attrs.type === "wait";
  return isForNow ? retry(words) : reject(words, "rejected", { hint: refusedHint });
}

/** Why a stanza is an error: "item-not-found: no such room". */
export const wordsOf = (stanza: Stanza): string => wordsIn(stanza.getChild("error"));

export function conditionIn(error: Stanza | undefined): string {
  return error?.getChildElements().find(({ name }) => name !== "text")?.name ?? "error";
}

export function wordsIn(error: Stanza | undefined): string {
  const text = error
    ?.getChildElements()
    .find(({ name }) => name === "text")
    ?.text();
  return text ? `${conditionIn(error)}: ${text}` : conditionIn(error);
}

/** The id that a room gives to somebody, whatever the nick (XEP-0421). */
export const occupantOf = (stanza: Stanza): string | undefined =>
  stanza.getChild("occupant-id", "urn:xmpp:occupant-id:0")?.attrs.id;
