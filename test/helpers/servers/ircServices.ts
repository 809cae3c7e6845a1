// The services of an inspircd network, as small as can be: a server that links to it (InspIRCd's spanning tree protocol, 1205) and answers SASL PLAIN and
// EXTERNAL for the accounts that it is given. With it, inspircd speaks SASL as it does on a real network.
import { createConnection, type Socket } from "node:net";
import { waitFor } from "../wait.ts";

const sid = "00A";
const agent = `${sid}AAAAAA`;

export interface IrcAccount {
  password?: string;
  /** Of the client certificate, as inspircd hashes it, for EXTERNAL. "*" takes any. */
  fingerprint?: string;
}

export class IrcServices {
  readonly accounts: Record<string, IrcAccount>;
  /** Logins tried, good and bad. */
  logins = 0;
  /** What the uplink said, for errors. */
  readonly lines: string[] = [];
  private readonly socket: Socket;
  private readonly mechanisms: string;
  private readonly chosen = new Map<string, { mechanism: string; fingerprint: string | undefined }>();
  private rest = "";
  private isLinked = false;

  private constructor(port: number, accounts: Record<string, IrcAccount>, mechanisms: string) {
    this.accounts = accounts;
    this.mechanisms = mechanisms;
    this.socket = createConnection({ port, host: "127.0.0.1" });
    this.socket.setEncoding("utf8");
    this.socket.on("data", (text: unknown) => this.read(String(text)));
    this.socket.on("error", () => undefined); // a killed server is what tests are about
    this.send("CAPAB START 1205");
    this.send("CAPAB END");
    this.send(`SERVER services.test.local link 0 ${sid} :services`);
  }

  /** Resolves when the link is up; begins again while the server still holds an earlier one. `port` is the server's for servers. */
  static async link(
    port: number,
    accounts: Record<string, IrcAccount>,
    mechanisms = "PLAIN,EXTERNAL",
  ): Promise<IrcServices> {
    let services: IrcServices | undefined;
    return waitFor(
      () => {
        if (services?.socket.destroyed) services = undefined;
        services ??= new IrcServices(port, accounts, mechanisms);
        return services.isLinked && services;
      },
      { message: () => `the services link; ${services?.lines.slice(-10).join("\n")}` },
    );
  }

  close(): void {
    this.socket.destroy();
  }

  private send(line: string): void {
    this.socket.write(`${line}\r\n`);
  }

  private read(text: string): void {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.hear(line.replace(/\r$/, ""));
  }

  private hear(line: string): void {
    this.lines.push(line);
    const words = line.replace(/^@\S+ /, "").split(" ");
    if (words[0] === "SERVER") {
      this.send(`:${sid} BURST ${Math.floor(Date.now() / 1000)}`);
      this.send(`:${sid} METADATA * saslmechlist :${this.mechanisms}`);
      this.send(`:${sid} ENDBURST`);
    } else if (words[1] === "ENDBURST") this.isLinked = true;
    else if (words[1] === "PING") this.send(`:${sid} PONG ${sid} ${words[2]}`);
    else if (words[1] === "ENCAP" && words[3] === "SASL") this.login(words.slice(4));
  }

  /** uid, agent, mode, data …: S begins, C goes on. */
  private login([uid = "", , mode, data = "", fingerprint]: string[]): void {
    if (mode === "S") {
      this.chosen.set(uid, { mechanism: data, fingerprint });
      this.answer(uid, "C", "+");
    } else if (mode === "C") {
      this.logins++;
      const account = this.check(uid, data.replace(/^:/, ""));
      if (account !== undefined) this.send(`:${sid} METADATA ${uid} accountname :${account}`);
      this.answer(uid, "D", account === undefined ? "F" : "S");
    }
  }

  private check(uid: string, data: string): string | undefined {
    const { mechanism, fingerprint } = this.chosen.get(uid) ?? {};
    const entries = Object.entries(this.accounts);
    if (mechanism === "EXTERNAL") {
      const isOf = (account: IrcAccount) =>
        account.fingerprint === "*" || account.fingerprint === fingerprint;
      return fingerprint === undefined ? undefined : entries.find(([, account]) => isOf(account))?.[0];
    }
    const [, name = "", password] = Buffer.from(data, "base64").toString("utf8").split("\0");
    return password !== undefined && this.accounts[name]?.password === password ? name : undefined;
  }

  private answer(uid: string, mode: string, data: string): void {
    this.send(`:${sid} ENCAP ${uid.slice(0, 3)} SASL ${agent} ${uid} ${mode} ${data}`);
  }
}
