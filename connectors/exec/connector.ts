// Any program as a connector: it writes events and answers as lines of JSON to its stdout and reads messages from its stdin.
import { defineConnector } from "spoolway/sdk";
import { LineProgram } from "spoolway/sdk/program/line-program";
import type { Config } from "./manifest.d.ts";
import { Session } from "./session.ts";

/** The end of a program that never got as far as a session: there are never two at once. */
let unfinished: Promise<unknown> = Promise.resolve();

export default defineConnector<Config, Session>({
  async connect(ctx) {
    await unfinished;
    const program = await LineProgram.start(ctx, ctx.config);
    const session = new Session(program, ctx);
    try {
      await session.started();
    } catch (error) {
      unfinished = session.close();
      await unfinished;
      throw error;
    }
    ctx.log.info("program.started", { pid: program.program.pid });
    return session;
  },

  receive: (session) => session.over,
  send: (session, message, ctx) => session.send(message, ctx.signal),
  close: (session) => session.close(),
});
