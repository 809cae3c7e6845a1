// An XMPP client that a test drives: it speaks the protocol itself, over plain TCP, so that nothing of the connector under test is in it but the XML parser.
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { projectRoot } from "../command.ts";
import { waitFor } from "../wait.ts";

export interface Stanza {
  name: string;
  attrs: Record<string, string | undefined>;
  is(name: string, xmlns?: string): boolean;
  getChild(name: string, xmlns?: string): Stanza | undefined;
  getChildren(name: string, xmlns?: string): Stanza[];
  getChildText(name: string): string | null;
  text(): string;
  toString(): string;
}

interface XmlParser {
  on(event: "element", listener: (element: Stanza) => void): void;
  on(event: "start" | "error", listener: () => void): void;
  write(text: string): void;
}

interface Said {
  type?: "chat" | "groupchat" | "error";
  id?: string;
  /** XML that goes into the message beside its body. */
  extra?: string;
}

export const escape = (text: string): string => text.replace(/[&<>'"]/g, (one) => `&#${one.charCodeAt(0)};`);

export class XmppUser {
  readonly jid: string;
  /** Everything that came, oldest first. */
  readonly stanzas: Stanza[] = [];
  readonly #socket: Socket;
  readonly #newParser: () => XmlParser;
  #parser: XmlParser | undefined;

  private constructor(socket: Socket, jid: string) {
    this.#socket = socket;
    this.jid = jid;
    const require = createRequire(join(projectRoot, "connectors/xmpp/package.json"));
    const { Parser } = require("@xmpp/xml") as { Parser: new () => XmlParser };
    this.#newParser = () => new Parser();
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#parser?.write(text));
    socket.on("error", () => undefined); // a server that dies is what tests are for
  }

  /** A stream that nobody has logged in on. Rejects when the server does not speak XMPP yet. */
  static async probe(port: number, jid = "nobody@localhost/probe"): Promise<XmppUser> {
    const socket = createConnection({ port, host: "127.0.0.1" });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    const user = new XmppUser(socket, jid);
    await user.#open();
    return user;
  }

  /** Logged in, available, and in these rooms. */
  static async connect(
    port: number,
    name: string,
    password: string,
    inRooms: readonly string[] = [],
    resource = "test",
  ): Promise<XmppUser> {
    const user = await XmppUser.probe(port, `${name}@localhost/${resource}`);
    const secret = Buffer.from(`\0${name}\0${password}`).toString("base64");
    user.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${secret}</auth>`);
    await user.saw((one) => one.is("success"));
    await user.#open();
    await user.ask(`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind>`);
    user.send("<presence/>");
    for (const room of inRooms) await user.join(room);
    return user;
  }

  async join(room: string, nick = this.jid.split("@")[0] ?? ""): Promise<void> {
    const x = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>";
    this.send(`<presence to='${room}/${nick}'>${x}</presence>`);
    const has = (one: Stanza): boolean =>
      one.name === "presence" && one.attrs.from === `${room}/${nick}` && codesOf(one).includes("110");
    const joined = await this.saw(has);
    if (!codesOf(joined).includes("201")) return;
    // A new room is closed to others until its owner says that it is right.
    const form = "<x xmlns='jabber:x:data' type='submit'/>";
    await this.ask(`<query xmlns='http://jabber.org/protocol/muc#owner'>${form}</query>`, { to: room });
  }

  /** The id of the message. Resolves when the server has worked it off. */
  async say(
    to: string,
    text: string | undefined,
    { type = "chat", id = randomUUID(), extra = "" }: Said = {},
  ): Promise<string> {
    const body = text === undefined ? "" : `<body>${escape(text)}</body>`;
    this.send(`<message to='${escape(to)}' type='${type}' id='${escape(id)}'>${body}${extra}</message>`);
    await this.ask("<ping xmlns='urn:xmpp:ping'/>", { type: "get", to: "localhost" });
    return id;
  }

  /** Sends a request and resolves with its answer; an error is an answer, too. */
  async ask(
    payload: string,
    { type = "set", to }: { type?: "get" | "set"; to?: string } = {},
  ): Promise<Stanza> {
    const id = randomUUID();
    this.send(`<iq type='${type}' id='${id}'${to ? ` to='${to}'` : ""}>${payload}</iq>`);
    return this.saw((one) => one.name === "iq" && one.attrs.id === id && one.attrs.type !== "get");
  }

  /** What people said here: in a room, or a person's own words. */
  messages(conversation: string): Stanza[] {
    return this.stanzas.filter(
      (one) =>
        one.name === "message" &&
        one.attrs.from?.split("/")[0] === conversation &&
        one.attrs.type !== "error",
    );
  }

  saw(isIt: (stanza: Stanza) => boolean, what = "a stanza"): Promise<Stanza> {
    return waitFor(() => this.stanzas.find(isIt), {
      message: () => `${what}; ${this.jid} saw ${this.stanzas.slice(-5).join("\n")}`,
    });
  }

  send(xml: string): void {
    this.#socket.write(xml);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #open(): Promise<void> {
    const parser = this.#newParser();
    const seen = this.stanzas.length;
    parser.on("element", (element) => {
      this.stanzas.push(element);
      const isPing = element.name === "iq" && element.attrs.type === "get";
      if (isPing)
        this.send(`<iq type='result' id='${element.attrs.id}' to='${element.attrs.from ?? "localhost"}'/>`);
    });
    parser.on("error", () => this.close());
    this.#parser = parser;
    this.send(
      "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
    );
    await waitFor(() => this.stanzas.slice(seen).some((one) => one.is("features")), { timeoutMs: 5000 });
  }
}

function codesOf(presence: Stanza): Array<string | undefined> {
  const x = presence.getChild("x", "http://jabber.org/protocol/muc#user");
  return x?.getChildren("status").map(({ attrs }) => attrs.code) ?? [];
}
