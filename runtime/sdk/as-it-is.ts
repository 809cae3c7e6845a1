// spoolway/sdk/as-it-is: an event that is not as its platform's documentation says. It would be the same the next time, and hold up all that comes after it: so it arrives as an
// `event` with nothing but its payload.
import { type Context, toSpoolwayError } from "../sdk.ts";

/** For a catch of what reads and delivers an event: delivers `raw` instead, where it is the event that is to blame. Throws every other failure. */
export function asItIs(
  ctx: Pick<Context, "deliver" | "log">,
  key: string[],
  raw: object,
): (error: unknown) => Promise<void> {
  return async (error) => {
    const { code, message } = toSpoolwayError(error);
    if (!(error instanceof TypeError) && code !== "invalid_event") throw error;
    ctx.log.warn("event.not_understood", { error: message });
    await ctx.deliver({ kind: "event", key, raw });
  };
}
