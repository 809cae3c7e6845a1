// prosody: an XMPP server with archives, stream management, carbons, and two services for rooms: one with an archive, one without.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../certificate.ts";
import { freePort } from "../ports.ts";
import { Daemon } from "./daemon.ts";
import { XmppUser } from "./xmppUser.ts";

export const domain = "localhost";
/** Rooms whose messages are kept. */
export const rooms = "muc.localhost";
/** Rooms that keep the last 20 for who comes in. */
export const plainRooms = "plain.localhost";
export const password = "sesame";

export interface ProsodyOptions {
  /** Temporary; its files go there. */
  folder: string;
  /** Names before the @; all have the same password. */
  users: readonly string[];
  /** STARTTLS is offered and asked for, and there is a port with TLS from the first byte. */
  tls?: boolean;
  /** Modules that are left out: smacks, mam, ... */
  without?: readonly string[];
  /** How long a stream that is gone can be resumed. */
  resumableS?: number;
}

export class Prosody extends Daemon {
  readonly port: number;
  readonly tlsPort: number;
  readonly folder: string;
  readonly certFile: string | undefined;

  constructor(folder: string, port: number, tlsPort: number, certFile: string | undefined) {
    const config = join(folder, "prosody.cfg.lua");
    const ready = async (): Promise<void> => (await XmppUser.probe(port)).close();
    super({ program: "prosody", args: ["-F", "--config", config], folder, ready });
    this.folder = folder;
    this.port = port;
    this.tlsPort = tlsPort;
    this.certFile = certFile;
  }

  /** An account, at any time. */
  addUser(name: string): void {
    const accounts = join(this.folder, "data", domain, "accounts");
    mkdirSync(accounts, { recursive: true });
    writeFileSync(join(accounts, `${name}.dat`), `return { ["password"] = "${password}"; };\n`);
  }

  /** How many logins were refused so far. */
  refusedLogins(): number {
    const log = readFileSync(join(this.folder, "prosody.log"), "utf8");
    return log.match(/authentication failure|not-authorized/gi)?.length ?? 0;
  }
}

/** Writes its configuration and accounts; call start(). */
export async function makeProsody(options: ProsodyOptions): Promise<Prosody> {
  const { folder, users, tls = false, without = [], resumableS = 60 } = options;
  const [port, tlsPort] = [await freePort(), await freePort()];
  const certificate = tls ? makeCertificate(folder) : undefined;
  const modules = ["roster", "saslauth", "disco", "ping", "carbons", "mam", "smacks", "posix", "offline"];
  const list = (names: readonly string[]): string => `{ ${names.map((name) => `"${name}"`).join(", ")} }`;
  const lines = [
    `data_path = "${folder}/data"`,
    `pidfile = "${folder}/prosody.pid"`,
    "run_as_root = true",
    `modules_enabled = ${list([...modules, ...(tls ? ["tls"] : [])].filter((name) => !without.includes(name)))}`,
    `modules_disabled = ${list(["s2s", ...(tls ? [] : ["tls"]), ...without])}`,
    `c2s_require_encryption = ${tls}`,
    `allow_unencrypted_plain_auth = ${!tls}`,
    'authentication = "internal_plain"',
    'storage = "internal"',
    'interfaces = { "127.0.0.1" }',
    `c2s_ports = { ${port} }`,
    `c2s_direct_tls_ports = { ${tls ? tlsPort : ""} }`,
    "s2s_ports = { }",
    `smacks_hibernation_time = ${resumableS}`,
    'archive_expires_after = "never"',
    `log = { info = "*console" }`,
    ...(certificate
      ? [`ssl = { certificate = "${certificate.certFile}", key = "${certificate.keyFile}" }`]
      : []),
    `VirtualHost "${domain}"`,
    `Component "${rooms}" "muc"`,
    'modules_enabled = { "muc_mam" }',
    "muc_log_by_default = true",
    "muc_room_locking = true",
    `Component "${plainRooms}" "muc"`,
  ];
  writeFileSync(join(folder, "prosody.cfg.lua"), `${lines.join("\n")}\n`);
  const server = new Prosody(folder, port, tlsPort, certificate?.certFile);
  for (const user of users) server.addUser(user);
  return server;
}
