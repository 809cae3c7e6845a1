// inspircd 3: IRCv3 message ids, server-time, echo-message, labeled-response; TLS, a connection password and a port for services (SASL, see ircServices.ts)
// on request.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../certificate.ts";
import { freePort } from "../ports.ts";
import { Daemon } from "./daemon.ts";
import { IrcUser } from "./ircUser.ts";

export interface InspircdOptions {
  /** Temporary; its files go there. */
  folder: string;
  tls?: boolean;
  password?: string;
  /** Loads sasl and listens for a services server on servicesPort. */
  services?: boolean;
  /** More lines for its configuration: modules, opers, bans. */
  extra?: readonly string[];
}

const modules = [
  "cap",
  "ircv3",
  "ircv3_capnotify",
  "ircv3_ctctags",
  "ircv3_echomessage",
  "ircv3_labeledresponse",
  "ircv3_msgid",
  "ircv3_servertime",
  "ircv3_batch",
  "ircv3_accounttag",
  "services_account",
];

export class Inspircd extends Daemon {
  readonly port: number;
  readonly tlsPort: number | undefined;
  readonly certFile: string | undefined;
  readonly servicesPort: number | undefined;

  constructor(
    folder: string,
    port: number,
    tls: { port: number; certFile: string } | undefined,
    servicesPort: number | undefined,
    probe: () => Promise<void>,
  ) {
    const args = [
      "--nofork",
      ...(process.getuid?.() === 0 ? ["--runasroot"] : []),
      "--config",
      join(folder, "i.conf"),
    ];
    super({ program: "inspircd", args, folder, ready: probe });
    this.port = port;
    this.tlsPort = tls?.port;
    this.certFile = tls?.certFile;
    this.servicesPort = servicesPort;
  }
}

/** Writes its configuration; call start(). */
export async function makeInspircd({
  folder,
  tls = false,
  password,
  services = false,
  extra = [],
}: InspircdOptions): Promise<Inspircd> {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const secure = tls ? { port: await freePort(), ...makeCertificate(folder) } : undefined;
  const servicesPort = services ? await freePort() : undefined;
  const secret = password === undefined ? "" : `password="${password}" `;
  const lines = [
    ...modules.map((name) => `<module name="${name}">`),
    `<server name="irc.test.local" description="test" network="Test" id="001">`,
    `<admin name="a" nick="a" email="a@b">`,
    `<bind address="127.0.0.1" port="${port}" type="clients">`,
    `<connect name="c" allow="*" ${secret}timeout="20" localmax="500" globalmax="500" commandrate="100000" fakelag="no" ` +
      `resolvehostnames="no" useident="no" limit="5000">`,
    `<class name="x" commands="*" privs="*" usermodes="*" chanmodes="*">`,
    `<pid file="${join(folder, "ircd.pid")}">`,
    ...(secure === undefined
      ? []
      : [
          `<module name="ssl_gnutls">`,
          `<module name="sslinfo">`,
          `<sslprofile name="test" provider="gnutls" certfile="${secure.certFile}" keyfile="${secure.keyFile}">`,
          `<bind address="127.0.0.1" port="${secure.port}" type="clients" sslprofile="test">`,
        ]),
    ...(servicesPort === undefined ? [] : servicesLines(servicesPort)),
    ...extra,
  ];
  writeFileSync(join(folder, "i.conf"), `${lines.join("\n")}\n`);
  return new Inspircd(folder, port, secure, servicesPort, () => probe(port, password));
}

function servicesLines(port: number): string[] {
  const name = "services.test.local";
  return [
    `<module name="spanningtree">`,
    `<module name="sasl">`,
    `<sasl target="${name}">`,
    `<bind address="127.0.0.1" port="${port}" type="servers">`,
    `<link name="${name}" ipaddr="127.0.0.1" port="${port}" allowmask="127.0.0.1" sendpass="link" recvpass="link">`,
    `<uline server="${name}" silent="yes">`,
  ];
}

let probes = 0;

async function probe(port: number, password: string | undefined): Promise<void> {
  const user = await IrcUser.connect(port, `probe${++probes}`, [], password);
  user.close();
}
