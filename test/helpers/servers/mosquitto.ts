// mosquitto: an MQTT broker with accounts, rights, a largest packet, and a memory that outlives it. Its own command line programs are its users.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../certificate.ts";
import { freePort } from "../ports.ts";
import { Daemon, findServer } from "./daemon.ts";
import { publishAs } from "./mqttUser.ts";

export interface Account {
  password: string;
  /** Lines of mosquitto's acl_file: "readwrite home/#". */
  rights: string[];
}

export interface MosquittoOptions {
  /** Temporary; its files go there. */
  folder: string;
  accounts: Record<string, Account>;
  /** Further lines of mosquitto.conf. */
  lines?: string[];
  /** A second port with TLS, self-signed. */
  tls?: boolean;
}

export interface Mosquitto extends Daemon {
  port: number;
  tlsPort: number | undefined;
  certFile: string | undefined;
}

/** Writes its configuration; call start(). The first account is the one that is asked whether it is ready. */
export async function makeMosquitto(options: MosquittoOptions): Promise<Mosquitto> {
  const { folder, accounts, lines = [], tls = false } = options;
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const secure = tls ? { port: await freePort(), ...makeCertificate(folder) } : undefined;
  const passwords = join(folder, "passwords");
  writeFileSync(
    passwords,
    Object.entries(accounts)
      .map(([name, one]) => `${name}:${one.password}\n`)
      .join(""),
  );
  execFileSync(findServer("mosquitto_passwd") ?? "mosquitto_passwd", ["-U", passwords]);
  const rights = Object.entries(accounts).flatMap(([name, one]) => [
    `user ${name}`,
    ...one.rights.map((right) => `topic ${right}`),
  ]);
  writeFileSync(join(folder, "acl"), `${rights.join("\n")}\n`);
  const config = [
    "user root", // else it gives its rights up, and cannot write into the folder
    "allow_anonymous false",
    `password_file ${passwords}`,
    `acl_file ${join(folder, "acl")}`,
    "persistence true",
    `persistence_location ${folder}/`,
    "autosave_on_changes true",
    "autosave_interval 1",
    "max_packet_size 200000",
    "set_tcp_nodelay true",
    ...lines,
    `listener ${port} 127.0.0.1`,
    ...(secure === undefined
      ? []
      : [`listener ${secure.port} 127.0.0.1`, `certfile ${secure.certFile}`, `keyfile ${secure.keyFile}`]),
  ];
  const path = join(folder, "mosquitto.conf");
  writeFileSync(path, `${config.join("\n")}\n`);
  const [first = "", account] = Object.entries(accounts)[0] ?? [];
  const user = { port, username: first, password: account?.password ?? "" };
  const daemon = new Daemon({
    program: "mosquitto",
    args: ["-c", path],
    folder,
    ready: () => publishAs(user, { topic: "ready", payload: "?", qos: 0 }),
  });
  return Object.assign(daemon, { port, tlsPort: secure?.port, certFile: secure?.certFile });
}
