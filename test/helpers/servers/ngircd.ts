// ngircd: a plain IRC server, with TLS and a server password on request. No IRCv3 message ids, no echo.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../certificate.ts";
import { freePort } from "../ports.ts";
import { Daemon } from "./daemon.ts";
import { IrcUser } from "./ircUser.ts";

export interface NgircdOptions {
  /** Temporary; its files go there. */
  folder: string;
  /** A second port with TLS, self-signed. */
  tls?: boolean;
  /** Clients must give this with PASS. */
  password?: string;
}

export class Ngircd extends Daemon {
  readonly port: number;
  readonly tlsPort: number | undefined;
  readonly certFile: string | undefined;

  constructor(
    folder: string,
    port: number,
    tls: { port: number; certFile: string } | undefined,
    probe: () => Promise<void>,
  ) {
    super({ program: "ngircd", args: ["-n", "-f", join(folder, "ngircd.conf")], folder, ready: probe });
    this.port = port;
    this.tlsPort = tls?.port;
    this.certFile = tls?.certFile;
  }
}

/** Writes its configuration; call start(). */
export async function makeNgircd({ folder, tls = false, password }: NgircdOptions): Promise<Ngircd> {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const secure = tls ? { port: await freePort(), ...makeCertificate(folder) } : undefined;
  const lines = [
    "[Global]",
    "Name = irc.test.local",
    "Info = test",
    "Listen = 127.0.0.1",
    `Ports = ${port}`,
    "MotdPhrase = hi",
    ...(password === undefined ? [] : [`Password = ${password}`]),
    "[Options]",
    "PAM = no",
    "Ident = no",
    "DNS = no",
    "[Limits]",
    "MaxConnectionsIP = 0",
    "MaxNickLength = 30",
    // Every client of a test comes from the same address and says much in little time.
    "MaxPenaltyTime = 0",
    ...(secure === undefined
      ? []
      : ["[SSL]", `CertFile = ${secure.certFile}`, `KeyFile = ${secure.keyFile}`, `Ports = ${secure.port}`]),
  ];
  writeFileSync(join(folder, "ngircd.conf"), `${lines.join("\n")}\n`);
  return new Ngircd(folder, port, secure, () => probe(port, password));
}

let probes = 0;

/** Ready means that a user can register. */
async function probe(port: number, password: string | undefined): Promise<void> {
  const user = await IrcUser.connect(port, `probe${++probes}`, [], password);
  user.close();
}
