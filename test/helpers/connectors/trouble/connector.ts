// A connector that goes wrong in the way its config says; for the supervisor's tests.
import { spawn } from "node:child_process";
import { writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type Context, defineConnector, sleep, stop } from "spoolway/sdk";

interface Config {
  how: string;
  after_ms: number;
  text: string;
  password: string;
}

const kept: Buffer[] = [];

/** 1 MB that really is in memory. */
const leak = (): unknown => kept.push(Buffer.alloc(1 << 20, kept.length % 256));

const ways: Record<string, (config: Config, ctx: Context<Config>) => unknown> = {
  ask: ({ text }, { fetch }) => fetch(text, {}, 300),
  crash: () =>
    setImmediate(() => {
      throw new Error("a bug");
    }),
  "exit-0": () => process.exit(0),
  "exit-1": () => process.exit(1),
  stop: () => {
    throw stop("the password is wrong", "Correct the password.");
  },
  temporary: () => process.exit(111),
  spin: () => {
    for (;;) Math.random();
  },
  leak: () =>
    setInterval(() => {
      for (let mb = 0; mb < 10; mb++) leak();
    }, 20),
  "leak-and-spin": () => {
    for (;;) {
      leak();
      for (const end = performance.now() + 5; performance.now() < end;) Math.random();
    }
  },
  flood: () => {
    const chunk = Buffer.from(`${"flood ".repeat(20)}\n`.repeat(1000));
    const endless = Buffer.alloc(1 << 20, "x");
    setInterval(() => {
      for (const bytes of [chunk, endless]) write(1, bytes);
      write(2, chunk);
    }, 1);
  },
  stubborn: () => {
    for (const event of ["SIGTERM", "message", "disconnect"]) process.removeAllListeners(event);
    process.on("SIGTERM", () => undefined);
    process.on("message", () => undefined);
  },
  // It outlives us and holds our stdout open.
  grandchild: () => {
    const child = spawn("sleep", ["3"], { detached: true, stdio: ["ignore", "inherit", "inherit"] });
    child.once("spawn", () => process.exit(1));
  },
  quote: ({ password }) => {
    throw new Error(`cannot reach https://user:${password}@example.org`);
  },
  say: ({ text, password }) => {
    write(1, Buffer.from(`${text}${password}\n`));
    write(2, Buffer.from(`to stderr: ${password}\n`));
  },
};

function write(fd: number, bytes: Buffer): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      return; // nobody reads just now: a flood has more
    }
  }
}

export default defineConnector<Config>({
  async connect(ctx) {
    const { config } = ctx;
    if (config.after_ms > 0) await delay(config.after_ms);
    await ways[config.how]?.(config, ctx);
  },
  async receive(_session, { signal }) {
    await sleep(3_600_000, signal);
  },
});
