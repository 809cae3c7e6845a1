// spoolway/sdk/xmpp/archive: what the server and the rooms keep of what was said (XEP-0313): what we missed, and whether a message of ours has arrived.
import { randomUUID } from "node:crypto";
import type { SyncContext, SyncResult } from "../../sdk.ts";
import { type Archive, syncArchives } from "../archives.ts";
import type { Draft } from "../../draft.ts";
import { bareOf, conditionOf, type Stanza, type XmppPort } from "./stanzas.ts";

const mam = "urn:xmpp:mam:2";
const pageSize = 50;
/** How far back a message is looked for. */
const findMax = 100;

/** A message with the archive's id of it, and when it got there. */
export interface Archived {
  id: string;
  stamp: string;
  stanza: Stanza;
}

interface Query {
  max: number;
  /** Only what was said between us and this one. */
  with?: string | undefined;
  start?: string | undefined;
  after?: string | undefined;
  before?: string | undefined;
}

export class XmppArchives<S extends Stanza> {
  readonly #port: XmppPort<S>;
  /** Of whom there is one: our account, rooms. */
  readonly #owners = new Set<string>();
  /** Pages that are being read. */
  readonly #pages = new Map<string, Archived[]>();

  constructor(port: XmppPort<S>) {
    this.#port = port;
  }

  has(owner: string): boolean {
    return this.#owners.has(owner);
  }

  /** Asks whether there is an archive of our account or of a room. One that says no (a room that is not there yet) has none; rejects when nobody answers. */
  async look(owner: string): Promise<boolean> {
    const info = this.#port.xml("query", { xmlns: "http://jabber.org/protocol/disco#info" });
    const answer = await this.#port.ask("get", info, owner).catch((thrown: unknown) => {
      if (conditionOf(thrown) === "") throw thrown;
    });
    const features = answer?.getChild("query")?.getChildren("feature") ?? [];
    if (features.some(({ attrs }) => attrs.var === mam)) this.#owners.add(owner);
    return this.has(owner);
  }

  /** To be called with every message: true for a part of a page, which is no message of its own. Only the archive that was asked is believed. */
  take(stanza: Stanza): boolean {
    const result = stanza.getChild("result", mam);
    const page = this.#pages.get(`${stanza.attrs.from ?? this.#port.jid} ${result?.attrs.queryid}`);
    const item = result && forwardedIn(result);
    if (item) page?.push(item);
    return result !== undefined;
  }

  /** What came since the last time. */
  async sync(
    since: string | undefined,
    ctx: SyncContext,
    toDraft: (item: Archived) => Draft | undefined,
  ): Promise<SyncResult> {
    const archives = [...this.#owners].map((name) => this.#archive(name, ctx, toDraft));
    return syncArchives(archives, since, ctx);
  }

  /** The message with this id that its sender gave it, among the last hundred of a room, or between us and a person. */
  async find(room: string | undefined, person: string, id: string): Promise<Archived | undefined> {
    const owner = room ?? this.#port.jid;
    if (!this.has(owner)) return undefined;
    const { items } = await this.#read(owner, { with: room ? undefined : person, max: findMax, before: "" });
    return items.find((item) => this.#isOf(owner, item) && item.stanza.attrs.id === id);
  }

  /** A room can only tell what was said in it, and for that it is asked itself. */
  #isOf(owner: string, { stanza: { attrs } }: Archived): boolean {
    if (owner === this.#port.jid) return attrs.type !== "groupchat";
    return attrs.type === "groupchat" && bareOf(attrs.from) === owner;
  }

  /** A mark is an id and a time: ids expire. */
  #archive(name: string, { deliver }: SyncContext, toDraft: (item: Archived) => Draft | undefined): Archive {
    return {
      name,
      newest: async () => markOf((await this.#read(name, { max: 1, before: "" })).items.at(-1)) ?? "",
      after: async (mark) => {
        const [after, start] = mark.split(" ");
        const page = await this.#read(name, { max: pageSize, after: after || undefined }).catch(
          (thrown: unknown) => {
            if (conditionOf(thrown) !== "item-not-found") throw thrown;
            return this.#read(name, { max: pageSize, start });
          },
        );
        const drafts = page.items.flatMap((item) => (this.#isOf(name, item) ? (toDraft(item) ?? []) : []));
        return {
          deliveries: drafts.map((draft) => () => deliver(draft)),
          mark: markOf(page.items.at(-1)),
          isLast: page.isLast,
        };
      },
    };
  }

  /** One page, oldest first. Rejects with the archive's own error. */
  async #read(owner: string, query: Query): Promise<{ items: Archived[]; isLast: boolean }> {
    const { xml, ask, jid } = this.#port;
    const field = (name: string, value: string): S => xml("field", { var: name }, xml("value", {}, value));
    const filters = (["with", "start"] as const).map((name) => query[name] && field(name, query[name]));
    const places = (["after", "before"] as const).map((name) =>
      query[name] === undefined ? undefined : xml(name, {}, query[name]),
    );
    const form = xml("x", { xmlns: "jabber:x:data", type: "submit" }, field("FORM_TYPE", mam), filters);
    const set = xml(
      "set",
      { xmlns: "http://jabber.org/protocol/rsm" },
      xml("max", {}, `${query.max}`),
      places,
    );
    const queryid = randomUUID();
    const items: Archived[] = [];
    this.#pages.set(`${owner} ${queryid}`, items);
    try {
      const request = xml("query", { xmlns: mam, queryid }, form, set);
      const answer = await ask("set", request, owner === jid ? undefined : owner);
      const isComplete = answer.getChild("fin", mam)?.attrs.complete === "true";
      return { items, isLast: isComplete || items.length === 0 };
    } finally {
      this.#pages.delete(`${owner} ${queryid}`);
    }
  }
}

/** The message that this element carries; undefined where it carries none. */
export function forwardedIn(carrier: Stanza): Archived | undefined {
  const forwarded = carrier.getChild("forwarded", "urn:xmpp:forward:0");
  const stanza = forwarded?.getChild("message");
  const stamp = forwarded?.getChild("delay", "urn:xmpp:delay")?.attrs.stamp ?? "";
  return stanza && { id: carrier.attrs.id ?? "", stamp, stanza };
}

const markOf = (item: Archived | undefined): string | undefined => item && `${item.id} ${item.stamp}`;
