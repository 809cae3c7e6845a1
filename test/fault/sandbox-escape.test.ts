// Hostile connectors try to get out of the sandbox. The same code runs without one beside it and succeeds: so each failure inside proves that it is the sandbox
// that prevents it, and not that the attempt was clumsy.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { sandboxProblem } from "../../runtime/sandbox/available.ts";
import { type Bus, startBus } from "../helpers/bus.ts";
import { atEnd, endChild, trackChild } from "../helpers/children.ts";
import { projectRoot } from "../helpers/command.ts";
import { waitFor } from "../helpers/wait.ts";

const missing = sandboxProblem();
if (missing !== undefined) console.error(`SKIPPED: the tests of the sandbox. ${missing.message}`);

const escape = join(projectRoot, "test/helpers/connectors/escape");
const needsRoot = { unproved: process.getuid?.() !== 0 };
/** The kernel knows AF_VSOCK. */
const vsock = spawnSync("python3", ["-c", "import socket; socket.socket(40, 1)"]).status === 0;
const needsVsock = { unproved: !vsock };
const canary = "SPOOLWAY_CANARY";

/** What is tried, and what the sandbox answers. */
interface Case {
  name: string;
  what: string;
  on?: string;
  /** The error, or what comes out of it. */
  inside: string | RegExp | string[];
  /** Not even without a sandbox does it work here. */
  unproved?: boolean;
}

interface Report {
  what: string;
  on: string;
  got?: unknown;
  error?: string;
}

describe.skipIf(missing !== undefined)("a hostile connector", () => {
  const home = mkdtempSync(join(tmpdir(), "spoolway-escape-"));
  const abstractName = `spoolway-escape-${process.pid}`;
  let cases: Case[];
  let bus: Bus;

  beforeAll(async () => {
    const port = await greeter(0);
    await greeter(join(home, "greeter.sock"));
    await greeter(`\0${abstractName}`);
    const victim = trackChild(spawn("sleep", ["600"], { stdio: "ignore" }), "the victim");
    atEnd(() => endChild(victim).then(() => undefined));
    const spool = join(home, "spool");
    for (const folder of ["state", "outbox"])
      mkdirSync(join(spool, folder, "neighbour"), { recursive: true });
    writeFileSync(join(spool, "state/neighbour/secret"), "token");
    chmodSync(join(spool, "state/neighbour"), 0o700);
    const ofVictim = String(victim.pid);

    cases = [
      {
        name: "another connector's state",
        what: "read",
        on: join(spool, "state/neighbour/secret"),
        inside: "ENOENT",
      },
      { name: "its own state.db", what: "list", on: join(spool, "state/hostile"), inside: "ENOENT" },
      { name: "the inbox", what: "list", on: join(spool, "inbox"), inside: "ENOENT" },
      { name: "the outbox of another", what: "list", on: join(spool, "outbox"), inside: "ENOENT" },
      { name: "the media of all", what: "write", on: join(spool, "media/x"), inside: "EROFS" },
      { name: "connectors.yml", what: "read", on: join(home, "connectors.yml"), inside: "ENOENT" },
      { name: "/etc/shadow", what: "read", on: "/etc/shadow", inside: "ENOENT", ...needsRoot },
      {
        name: "private keys of the system",
        what: "list",
        on: "/etc/ssl/private",
        inside: "ENOENT",
        ...needsRoot,
      },
      { name: "the environment of the supervisor", what: "environ", on: canary, inside: "none" },
      { name: "its own environment", what: "ownEnvironment", inside: ownVariables },
      { name: "other processes", what: "commandLines", on: "sleep", inside: "none" },
      { name: "a signal to another process", what: "signal", on: ofVictim, inside: "ESRCH" },
      {
        name: "ptrace of another process",
        what: "ptrace",
        on: ofVictim,
        inside: /not permitted|No such process/,
      },
      { name: "a write into the home", what: "write", on: join(home, "written"), inside: "EROFS" },
      {
        name: "a drop for another connector",
        what: "write",
        on: join(spool, "outbox/neighbour/x.json"),
        inside: "ENOENT",
      },
      {
        name: "a change of the runtime",
        what: "openForWriting",
        on: join(projectRoot, "package.json"),
        inside: "EROFS",
      },
      {
        name: "a change of its own code",
        what: "openForWriting",
        on: join(escape, "attempts.ts"),
        inside: "EROFS",
      },
      {
        name: "the program that the kernel starts as root",
        what: "openForWriting",
        on: "/proc/sys/kernel/core_pattern",
        inside: "ENOENT",
        ...needsRoot,
      },
      { name: "the host's kernel objects", what: "list", on: "/sys", inside: "ENOENT" },
      { name: "a service on loopback", what: "tcp", on: `127.0.0.1 ${port}`, inside: "ECONNREFUSED" },
      { name: "networks", what: "interfaces", inside: ["lo"] },
      {
        name: "the metadata of a cloud",
        what: "tcp",
        on: "169.254.169.254 80",
        inside: "ENETUNREACH",
        unproved: true,
      },
      { name: "a unix socket", what: "unix", on: join(home, "greeter.sock"), inside: "ENOENT" },
      { name: "an abstract unix socket", what: "abstractUnix", on: abstractName, inside: "ECONNREFUSED" },
      {
        name: "a namespace of its own, to be root in",
        what: "unshare",
        on: "-Ur",
        inside: /not permitted/,
      },
      ...(process.arch === "x64" ? systemCalls : []),
      { name: "an event in another's name", what: "forge", on: "neighbour", inside: "invalid_event" },
    ];
    const attempts = cases.map(({ what, on }) => ({ what, ...(on === undefined ? {} : { on }) }));
    const entry = (name: string, sandbox: boolean) => ({
      name,
      type: escape,
      attempts,
      runtime: { sandbox },
    });
    bus = await startBus({
      home,
      connectors: [entry("hostile", true), entry("control", false)],
      env: { [canary]: "1" },
    });
    const all = () => [...reports(bus, "hostile"), ...reports(bus, "control")];
    await waitFor(() => all().length >= 2 * attempts.length, { message: () => JSON.stringify(all()) });
  }, 60_000);

  test("gets nothing of what it gets outside", async () => {
    const inside = reports(bus, "hostile");
    const outside = reports(bus, "control");
    const wrong = cases.flatMap(({ name, what, on = "", inside: wanted, unproved }) => {
      const find = (list: Report[]) => list.find((one) => one.what === what && one.on === on);
      const [held, free] = [find(inside), find(outside)];
      const proved = what === "forge" || unproved === true || free?.error === undefined;
      const answer = held?.error ?? (held?.got as string | string[]);
      const asWanted =
        wanted instanceof RegExp
          ? wanted.test(String(answer))
          : JSON.stringify(answer) === JSON.stringify(wanted);
      return [
        ...(proved ? [] : [`${name}: not even the control could: ${free?.error}`]),
        ...(asWanted ? [] : [`${name}: ${JSON.stringify(answer)}`]),
      ];
    });
    expect(wrong).toEqual([]);
  });
});

/** Number and arguments. Outside they succeed, or complain about the arguments. */
const systemCalls: Case[] = [
  { name: "unshare(0)", what: "syscall", on: "272 0", inside: "EPERM" },
  { name: "keyctl(KEYCTL_GET_KEYRING_ID)", what: "syscall", on: "250 0 -3 0", inside: "EPERM" },
  { name: "process_vm_readv of itself", what: "syscall", on: "310 0 0 0 0 0 0", inside: "EPERM" },
  { name: "io_uring_setup", what: "syscall", on: "425 1 0", inside: "ENOSYS" },
  {
    ...needsVsock,
    name: "a socket to the host of this virtual machine",
    what: "syscall",
    on: "41 40 1 0",
    inside: "EAFNOSUPPORT",
  },
  {
    name: "clone(CLONE_NEWUSER)",
    what: "syscall",
    on: `56 ${0x10000000 | 0x00000800} 0 0 0 0`,
    inside: "EPERM",
  },
];

/** Nothing of the supervisor's: its own folders, where to find certificates, and the way out. */
const own = [
  "HOME",
  "LANG",
  "TZ",
  "MALLOC_ARENA_MAX",
  "NODE_[A-Z_]+",
  "SSL_CERT_FILE",
  "PATH",
  "PWD",
  "SPOOLWAY_(MEDIA|BRIDGE)",
  "TMPDIR",
];
const ownVariables = new RegExp(`^((${own.join("|")}|([a-z]+|[A-Z]+)_(proxy|PROXY)),?)+$`);

function reports(bus: Bus, connector: string): Report[] {
  return bus
    .events((event) => event.connector.instance === connector)
    .map((event) => JSON.parse(event.content?.text ?? "{}") as Report);
}

/** A server that says hello, for as long as the file's tests last. Returns its port, where it has one. */
async function greeter(on: number | string): Promise<number> {
  const server: Server = createServer((socket) => socket.end("hello").on("error", () => undefined));
  await new Promise<void>((resolve) =>
    typeof on === "number" ? server.listen(on, "127.0.0.1", resolve) : server.listen(on, resolve),
  );
  atEnd(() => void server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
