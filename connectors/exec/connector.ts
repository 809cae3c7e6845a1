// Any program as a connector: it writes events and answers as lines of JSON to its stdout and reads messages from its stdin.
import { defineConnector } from "spoolway/sdk";
import { startProgram } from "./program.ts";
import { type ExecConfig, Session } from "./session.ts";

/** The end of a program that never got as far as a session: there are never two at once. */
let unfinished: Promise<unknown> = Promise.resolve();

export default defineConnector<ExecConfig, Session>({
  async connect(ctx) {
    await unfinished;
    const program = await startProgram(ctx.config, ctx.home);
    try {
      const session = new Session(program, ctx);
      await session.started();
      ctx.log.info("program.started", { pid: program.pid });
      return session;
    } catch (error) {
      unfinished = program.stop();
      await unfinished;
      throw error;
    }
  },

  async receive(session) {
    await session.over;
  },

  send(session, message, ctx) {
    return session.send(message, ctx.signal);
  },

  async close(session) {
    await session.close();
  },
});
