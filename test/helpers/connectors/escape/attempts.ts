// What a hostile connector tries. Each takes a path, an address or a pid, and returns what it got, or throws.
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import type { Context } from "spoolway/sdk";

type Attempt = (on: string, ctx: Context) => unknown;

const clip = (text: string): string => text.slice(0, 200);

export const attempts: Record<string, Attempt> = {
  read: (path) => clip(readFileSync(path, "latin1")),
  list: (path) => readdirSync(path).slice(0, 20),
  write: (path) => writeFileSync(path, "escaped"),
  /** Opens for writing, and writes nothing. */
  openForWriting: (path) => closeSync(openSync(path, "r+")),
  /** "mode path" */
  chmod: (spec) => chmodSync(spec.split(" ")[1] ?? "", spec.split(" ")[0] ?? ""),
  /** By number, with numbers as arguments; what it says when it fails, as a name. */
  syscall: (numbers) => {
    const error = execFileSync("python3", ["-c", syscallScript, ...numbers.split(" ")])
      .toString()
      .trim();
    if (["EPERM", "ENOSYS", "EAFNOSUPPORT"].includes(error))
      throw Object.assign(new Error(error), { code: error });
    return error;
  },
  /** Who has this text in the environment, of all the processes that can be seen. */
  environ: (text) => {
    const holders = pids().filter((pid) => readOr(`/proc/${pid}/environ`).includes(text));
    return found(holders.filter((pid) => pid !== String(process.pid)));
  },
  commandLines: (text) => found(pids().filter((pid) => readOr(`/proc/${pid}/cmdline`).includes(text))),
  ownEnvironment: () => Object.keys(process.env).sort(),
  descriptors: () =>
    readdirSync("/proc/self/fd").flatMap((fd) => {
      try {
        return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`];
      } catch {
        return []; // the one that read the folder
      }
    }),
  signal: (pid) => process.kill(Number(pid), 0),
  ptrace: (pid) =>
    execFileSync("python3", ["-c", ptraceScript, pid], { stdio: ["ignore", "pipe", "pipe"] }).toString(),
  /** A new user namespace would give back what was taken. */
  unshare: (kind) =>
    execFileSync("unshare", [kind, "id", "-u"], { stdio: ["ignore", "pipe", "pipe"] }).toString(),
  capabilities: () => /^CapEff:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1],
  tcp: (address) => {
    const [host = "", port = ""] = address.split(" ");
    return greeting({ host, port: Number(port) });
  },
  unix: (path) => greeting({ path }),
  abstractUnix: (name) => greeting({ path: `\0${name}` }),
  interfaces: () => Object.keys(networkInterfaces()),
  /** Many processes, that do nothing. `on` of them. */
  /** `<count> <marker>`: so many processes, which are called like the marker. */
  forkBomb: (on) => {
    const [count, marker = ""] = on.split(" ");
    for (let n = 0; n < Number(count); n += 1)
      spawn("sleep", ["60"], { stdio: "ignore", argv0: marker }).on("error", () => undefined);
  },
  /** A process that has left its group, its session and its parent. */
  daemon: (marker) => {
    const script = `(setsid sh -c 'exec -a ${marker} sleep 600' >/dev/null 2>&1 &) ; exit 0`;
    execFileSync("bash", ["-c", script.replace("sh -c", "bash -c")]);
  },
  memory: (megabytes) => {
    const held = [];
    for (let n = 0; n < Number(megabytes); n += 1) held.push(Buffer.alloc(1 << 20, 1));
    return held.length;
  },
  fill: (path) => {
    const fd = openSync(path, "w");
    const megabyte = Buffer.alloc(1 << 20, 1);
    try {
      for (let n = 0; n < 256; n += 1) writeSync(fd, megabyte);
    } finally {
      closeSync(fd);
    }
  },
  /** As another connector, and with what only the runtime sets. */
  forge: async (instance, ctx) => {
    const stamps = {
      id: "forged-id",
      version: 1,
      connector: { type: "irc", instance },
      received_at: "2000-01-01T00:00:00Z",
    };
    const reply = { connector: instance, conversation_id: "x" };
    await ctx.deliver({ ...stamps, reply, conversation: { id: "c" }, content: { text: "forged" } } as never);
  },
  /** An attachment that says it is somebody else's file. */
  forgePath: async (path, ctx) => {
    const attachment = { name: "x", path, sha256: "0".repeat(64), size: 1 };
    await ctx.deliver({
      conversation: { id: "c" },
      content: { text: "lent", attachments: [attachment] },
    } as never);
  },
  /** Bytes into the channel of the sandbox, in hex. */
  channel: (hex) => writeSync(3, Buffer.from(hex, "hex")),
  logFlood: (lines, { log }) => {
    for (let n = 0; n < Number(lines); n += 1) log.info("flood");
  },
};

const pids = (): string[] => readdirSync("/proc").filter((name) => /^\d+$/.test(name));

function readOr(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // somebody else's, or gone
  }
}

function found(list: string[]): string[] {
  if (list.length === 0) throw new Error("none");
  return list;
}

function greeting(to: { host: string; port: number } | { path: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(to as { path: string });
    socket.setTimeout(10_000, () => socket.destroy(new Error("timeout")));
    socket.once("data", (text) => {
      resolve(clip(String(text)));
      socket.destroy();
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
  });
}

const ptraceScript = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
pid = int(sys.argv[1])
if libc.ptrace(16, pid, 0, 0) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(pid, 0x40000000)
libc.ptrace(17, pid, 0, 0)
print("attached")
`;

const syscallScript = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
parent = os.getpid()
result = libc.syscall(*[ctypes.c_long(int(arg)) for arg in sys.argv[1:]])
if os.getpid() != parent:
    os._exit(0)
print("ok" if result >= 0 else errno.errorcode[ctypes.get_errno()])
`;
