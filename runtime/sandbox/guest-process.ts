// The guest as a process: started under bubblewrap, watched, ended. Nothing of it outlives this process, however this one dies: the kernel kills bubblewrap with
// its parent, and with the first process of a pid namespace all others of it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Duplex, Readable, Writable } from "node:stream";
import { errnoOf, SpoolwayError } from "../errors.ts";
import { findExecutable, loaderArguments } from "../process.ts";
import { LineLog } from "../sdk/program/line-log.ts";
import type { Logger } from "../sdk.ts";
import { within } from "../timing.ts";
import { findBwrap, unavailable } from "./available.ts";
import { bwrapArguments, guestFiles, type View } from "./bwrap.ts";
import { seccompFilter } from "./seccomp.ts";
import { usage } from "./watch.ts";

/** Processes of one guest. Enough for a connector with its programs; a fork bomb is ended as a whole. */
export const maxProcesses = 128;
/** The kernel's own limits of each process: bubblewrap as anybody but root, the first one per user and sandbox. Threads count: node has a dozen. */
const limits = (memoryMb: number): string[] => [
  "--nproc=1024",
  "--nofile=4096",
  "--core=0",
  `--fsize=${2 ** 30}`,
  // What node sets aside and never touches counts too: the measured memory is what holds (watch.ts); this ends the allocation that is quicker than the watch.
  `--data=${(memoryMb * 2 + 1024) * 2 ** 20}`,
];
const closeOnExec = 0o2000000;
const maxInherited = 4096;
const watchEveryMs = 1000;
const endMs = 5000;

/** 3 is the channel. */
const statusFd = 4;
const dataFd = 5;

const entry = join(import.meta.dirname, "guest.ts");

export interface GuestProcessOptions {
  view: View;
  /** Of all processes of the guest together. */
  memoryMb: number;
  loader: "node" | "tsx";
  /** Lines for /etc/hosts. */
  hosts: readonly string[];
  log: Logger;
}

export class GuestProcess {
  /** The end of the channel on this side. */
  readonly socket: Duplex;
  /** Resolves with the reason when it is over: an error of the guest, or the limit that it broke. */
  readonly over: Promise<SpoolwayError>;
  /** Measured by the watch; 0 before its first look. */
  rssBytes = 0;
  readonly #child: ChildProcess;
  readonly #memoryMb: number;
  readonly #errors: LineLog;
  #init: number | undefined;
  #reason: SpoolwayError | undefined;
  #watch: NodeJS.Timeout | undefined;

  /** Throws sandbox_unavailable. */
  constructor(options: GuestProcessOptions) {
    const { view, memoryMb, loader, hosts, log } = options;
    this.#memoryMb = memoryMb;
    const { options: words, data } = launch(view, hosts);
    const pipes = Array.from({ length: dataFd + data.length }, () => "pipe" as const);
    const leaks = overLeaks(pipes.length);
    this.#child = spawn(findBwrap(), [...words, "--", ...command(memoryMb, loader)], {
      cwd: "/",
      env: {},
      stdio: [...pipes, ...leaks],
    });
    // stdin is a pipe too: a null device would be the host's, whose mode its owner may change.
    const [stdin, , , socket, status, ...rest] = this.#child.stdio as unknown as Duplex[];
    this.socket = socket as Duplex;
    give(stdin, "");
    for (const [at, pipe] of rest.entries()) give(pipe ?? undefined, data[at] ?? "");
    this.#errors = new LineLog(this.#child.stderr as Readable, log, "sandbox.stderr");
    void new LineLog(this.#child.stdout as Readable, log, "sandbox.stdout").done;
    this.over = this.#run();
    status?.on("data", (text: Buffer) => this.#began(text));
    status?.on("error", () => undefined); // it has ended, which is seen elsewhere
  }

  /** Ends all of it at once; `over` resolves with this reason, unless there was one before. */
  kill(reason: SpoolwayError): void {
    this.#reason ??= reason;
    this.#child.kill("SIGKILL");
  }

  /** Ends it and waits until it is gone. */
  async end(): Promise<void> {
    this.kill(new SpoolwayError("sandbox_ended", "it was asked to end"));
    await within(endMs, this.over);
  }

  async #run(): Promise<SpoolwayError> {
    try {
      const [code, signal] = (await once(this.#child, "exit")) as [number | null, NodeJS.Signals | null];
      await within(500, this.#errors.done);
      return (this.#reason ??= this.#failure(code, signal));
    } catch (error) {
      return unavailable((error as Error).message);
    } finally {
      clearInterval(this.#watch);
    }
  }

  #failure(code: number | null, signal: NodeJS.Signals | null): SpoolwayError {
    const words = this.#errors.lastWords;
    // Before there was a first process, it is bubblewrap that speaks.
    if (this.#init === undefined || words.startsWith("bwrap: "))
      return unavailable(words || `bwrap exited with ${code}`);
    const how = code === null ? `was ended by ${signal}` : `exited with code ${code}`;
    return new SpoolwayError(
      "sandbox_ended",
      `the connector ${how}${words === "" ? "" : `; its last words: ${words}`}`,
    );
  }

  #began(text: Buffer): void {
    const pid = /"child-pid":\s*(\d+)/.exec(text.toString("utf8"))?.[1];
    if (pid === undefined || this.#init !== undefined) return;
    this.#init = Number(pid);
    this.#watch = setInterval(() => this.#look(Number(pid)), watchEveryMs);
    this.#watch.unref();
  }

  #look(init: number): void {
    const used = usage(init, maxProcesses);
    if (used === undefined) return;
    this.rssBytes = used.bytes;
    const usedMb = Math.round(used.bytes / 2 ** 20);
    if (used.processes > maxProcesses) {
      this.kill(
        new SpoolwayError(
          "too_many_processes",
          `it had ${used.processes} processes, at most ${maxProcesses} are allowed`,
        ),
      );
    } else if (usedMb > this.#memoryMb) {
      this.kill(new SpoolwayError("over_memory", `it used ${usedMb} MB of ${this.#memoryMb} MB`));
    }
  }
}

/**
 * bubblewrap's options, and what it reads from the descriptors from dataFd on: first the options proper, which are nobody's business in /proc, then the contents of
 * files, then the filter.
 */
function launch(view: View, hosts: readonly string[]): { options: string[]; data: Array<string | Buffer> } {
  const files = guestFiles(hosts);
  const filter = seccompFilter(process.getuid?.() === 0);
  const filterFd = String(dataFd + 1 + files.length);
  return {
    options: [
      ...["--json-status-fd", String(statusFd), "--args", String(dataFd)],
      ...(filter === undefined ? [] : ["--seccomp", filterFd]),
    ],
    data: [
      `${bwrapArguments(view, files, dataFd + 1).join("\0")}\0`,
      ...files.map(([, text]) => text),
      ...(filter === undefined ? [] : [filter]),
    ],
  };
}

function command(memoryMb: number, loader: "node" | "tsx"): string[] {
  const node = [process.execPath, `--max-old-space-size=${memoryMb}`, ...loaderArguments(loader), entry];
  const prlimit = findExecutable("prlimit");
  return prlimit === undefined ? node : [prlimit, ...limits(memoryMb), "--", ...node];
}

/** Descriptors from `first` on that this process was started with and that would be passed on, because nobody marked them: empty pipes take their place. */
function overLeaks(first: number): Array<"ignore" | "pipe"> {
  const leaked = readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => fd >= first && isInherited(fd));
  const highest = Math.max(first - 1, ...leaked);
  if (highest > maxInherited) {
    throw new SpoolwayError(
      "sandbox_unsuitable",
      `this process was started with the open descriptor ${highest}`,
      { hint: `Close it before Spoolway is started (in a shell: exec ${highest}>&-).` },
    );
  }
  const slots = Array.from({ length: highest + 1 - first }, (_, at) => first + at);
  return slots.map((fd) => (leaked.includes(fd) ? "pipe" : "ignore"));
}

function isInherited(fd: number): boolean {
  try {
    const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "0";
    return (parseInt(flags, 8) & closeOnExec) === 0;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false; // the one that read the folder
    throw error;
  }
}

function give(pipe: Writable | undefined, data: string | Buffer): void {
  pipe?.on("error", () => undefined); // bwrap did not get so far: its exit says why
  pipe?.end(data);
}
