// The part of @xmpp/client 0.14.0 that this connector uses; the package ships no types.
declare module "@xmpp/client" {
  import type { EventEmitter } from "node:events";
  import type { Socket } from "node:net";
  import type { Build, Stanza } from "spoolway/sdk/xmpp/stanzas";

  /** Children that are undefined are left out. */
  export const xml: Build<Element>;

  export interface Element extends Stanza {
    is(name: string, xmlns?: string): boolean;
    getNS(): string | undefined;
    /** Takes these children away. */
    remove(name: string, xmlns?: string): this;
    getChild(name: string, xmlns?: string): Element | undefined;
  }

  interface Transport {
    prototype: { Parser: unknown };
  }

  type Authenticate = (
    credentials: { username: string; password: string },
    mechanism: string,
  ) => Promise<void>;

  export interface ClientOptions {
    domain: string;
    resource: string;
    /** Called with the mechanisms that both sides know, best first. */
    credentials: (authenticate: Authenticate, mechanisms: string[]) => Promise<void>;
  }

  export interface Client extends EventEmitter {
    jid: { toString(): string } | null;
    /** For the opening of the stream, in milliseconds. */
    timeout: number;
    Transport: Transport | undefined;
    Parser: unknown;
    socket: (Socket & { secure?: boolean }) | null;
    parser: { write(text: string): void } | null;
    reconnect: { stop(): void };
    /** SCRAM-SHA-1 is the first. */
    saslFactory: { _mechs: Array<{ name: string; mech: new () => unknown }> };
    iqCaller: {
      /** Resolves with the answer; rejects with a StanzaError, or a TimeoutError without words. */
      request(iq: Element, timeoutMs: number): Promise<Element>;
    };
    isSecure(): boolean;
    isStanza(element: Element): boolean;
    open(options: { domain: string }): Promise<unknown>;
    restart(): Promise<unknown>;
    send(element: Element): Promise<void>;
    /** The next element that comes is taken for the answer. */
    sendReceive(element: Element, timeoutMs: number): Promise<Element>;
    write(text: string): Promise<void>;
    _findTransport(service: string): Transport | undefined;
    _attachSocket(socket: Socket): void;
    _detachSocket(): void;
    _onData(data: Buffer): void;
    /** Every element of the stream comes through here. */
    _onElement(element: Element): void;
    _jid(jid: string): unknown;
  }

  export function client(options: ClientOptions): Client;
}
