// The part of irc-framework 4.14.0 that this connector uses; the package ships no types.
declare module "irc-framework" {
  /** A parsed line. Tags are unescaped, their names in lower case. */
  export interface IrcMessage {
    tags: Record<string, string>;
    /** The source as it stands on the wire: nick!user@host, or a server's name. */
    prefix: string;
    /** Empty when the source is a server. */
    nick: string;
    ident: string;
    hostname: string;
    /** Upper case; numerics as three digits. */
    command: string;
    params: string[];
  }

  /** What irc-framework calls on a transport of one connection; it emits open, line and close. */
  export interface Transport {
    connect(): void;
    writeLine(line: string, callback?: () => void): void;
    close(force: boolean): void;
    setEncoding(encoding: string): boolean;
  }

  export interface ClientOptions {
    nick: string;
    username: string;
    gecos: string;
    /** Server password. */
    password: string | undefined;
    /** SASL login. An object without an account means none; undefined would use `password` for it. */
    account: { account?: string; password?: string };
    sasl_mechanism: "PLAIN" | "EXTERNAL";
    /** Answer to CTCP VERSION; "" for none. */
    version: string;
    auto_reconnect: boolean;
    enable_echomessage: boolean;
    /** Seconds; 0 turns the library's own pings off. */
    ping_interval: number;
    ping_timeout: number;
    /** Called with `new`; what it returns is the transport. */
    transport: () => Transport;
  }

  export interface NetworkInfo {
    cap: { isEnabled(name: string): boolean };
    isChannelName(name: string): boolean;
    /** The channel of "@#channel"; null without such a prefix. */
    extractTargetGroup(target: string): { target: string } | null;
    /** Whether the server lets clients send this tag. */
    supportsTag(name: string): boolean;
  }

  export class Client {
    network: NetworkInfo;
    /** Emits each line that came in after the client has dealt with it itself. */
    connection: { on(event: "message", listener: (message: IrcMessage) => void): void };
    /** A line to write; to1459 encodes it. */
    Message: new (command: string, ...params: string[]) => { tags: Record<string, string>; to1459(): string };
    connect(options: ClientOptions): void;
    /** Lower case by the server's CASEMAPPING. */
    caseLower(text: string): string;
    on(event: "sasl failed", listener: (event: { reason: string; message?: string }) => void): this;
  }
}
