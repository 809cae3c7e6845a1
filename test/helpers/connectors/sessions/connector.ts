// Loses its connection as its config says, and writes down every call.
import { appendFileSync } from "node:fs";
import { defineConnector, sleep, stop } from "spoolway/sdk";

interface Config {
  log: string;
  fail_connects: number;
  lose_after_ms: number;
  deaf: boolean;
  mute: boolean;
  hang: boolean;
  stop: boolean;
}
let connects = 0;

export default defineConnector<Config, number>({
  async connect(ctx) {
    connects += 1;
    note(ctx.config, `connect ${connects}`);
    if (ctx.config.stop) throw stop("wrong password", "Write the right password.");
    if (connects <= ctx.config.fail_connects) throw new Error("connection refused");
    return connects;
  },
  async receive(session, ctx) {
    note(ctx.config, `receive ${session}`);
    if (ctx.config.hang) await new Promise(() => undefined);
    if (ctx.config.lose_after_ms > 0 && session === 1) {
      await sleep(ctx.config.lose_after_ms, ctx.signal);
      return;
    }
    while (!ctx.signal.aborted) await sleep(1000, ctx.signal);
    await sleep(200); // a task that takes its time to end
    note(ctx.config, `ended ${session}`);
  },
  async probe(session, ctx) {
    if (ctx.config.deaf && session === 1) throw new Error("no pong");
    if (ctx.config.mute && session === 1) await new Promise(() => undefined);
  },
  async close(session) {
    note({ log: "../../../calls.log" }, `close ${session}`);
  },
});

function note({ log }: { log: string }, text: string): void {
  appendFileSync(log, `${text}\n`);
}
