// A user of an IRC server: a bare client that says things and remembers what it saw. It is the test's eye on the platform, so it shares no code with
// the connector.
import { createConnection, type Socket } from "node:net";
import { GiveUp, waitFor } from "../wait.ts";

export interface IrcLine {
  tags: string;
  /** nick!user@host or the server's name. */
  from: string;
  command: string;
  params: string[];
}

export class IrcUser {
  readonly nick: string;
  /** Everything the server sent, in order. */
  readonly lines: IrcLine[] = [];
  private readonly socket: Socket;
  private rest = "";

  private constructor(port: number, nick: string) {
    this.nick = nick;
    this.socket = createConnection({ port, host: "127.0.0.1" });
    this.socket.setEncoding("utf8");
    this.socket.on("data", (text: unknown) => this.read(String(text)));
    this.socket.on("error", () => undefined); // seen by `connected`; tests kill servers on purpose
  }

  /** Resolves when the server has registered the user and it is in the channels. */
  static async connect(
    port: number,
    nick: string,
    channels: readonly string[] = [],
    password?: string,
  ): Promise<IrcUser> {
    const user = new IrcUser(port, nick);
    try {
      if (password !== undefined) user.send(`PASS ${password}`);
      user.send(`NICK ${nick}`);
      user.send(`USER ${nick} 0 * :${nick}`);
      await user.saw((line) => line.command === "001", 5000);
      for (const channel of channels) await user.join(channel);
      return user;
    } catch (error) {
      user.close();
      throw error;
    }
  }

  get connected(): boolean {
    return !this.socket.destroyed && this.socket.writable;
  }

  send(line: string): void {
    this.socket.write(`${line}\r\n`);
  }

  async join(channel: string): Promise<void> {
    this.send(`JOIN ${channel}`);
    await this.saw((line) => line.command === "366" && line.params[1] === channel, 5000);
  }

  say(target: string, text: string): void {
    this.send(`PRIVMSG ${target} :${text}`);
  }

  /** Texts seen in a channel, or said to this user when `target` is its nick, in order. */
  heard(target: string): string[] {
    const here = this.lines.filter((line) => line.command === "PRIVMSG" && line.params[0] === target);
    return here.map((line) => line.params[1] ?? "");
  }

  /** Waits for a line, also among those that came before. */
  async saw(wanted: (line: IrcLine) => boolean, timeoutMs = 15_000): Promise<IrcLine> {
    const last = () => JSON.stringify(this.lines.slice(-5));
    const find = () => {
      const line = this.lines.find(wanted);
      if (!line && this.socket.destroyed)
        throw new GiveUp(`${this.nick} has no connection; the last were ${last()}`);
      return line;
    };
    return waitFor(find, { timeoutMs, message: () => `an IRC line; the last were ${last()}` });
  }

  close(): void {
    this.socket.destroy();
  }

  private read(text: string): void {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      const parsed = parseLine(line.replace(/\r$/, ""));
      if (parsed.command === "PING") this.send(`PONG :${parsed.params[0] ?? ""}`);
      this.lines.push(parsed);
    }
  }
}

function parseLine(line: string): IrcLine {
  const match = /^(?:@(\S+) +)?(?::(\S+) +)?(\S+)(.*)$/.exec(line);
  const [, tags = "", from = "", command = "", tail = ""] = match ?? [];
  const at = tail.indexOf(" :");
  const params = (at < 0 ? tail : tail.slice(0, at)).split(" ").filter((param) => param !== "");
  if (at >= 0) params.push(tail.slice(at + 2));
  return { tags, from, command, params };
}
