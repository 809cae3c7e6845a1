// spoolway/sdk/as-it-is: an event that is not as its platform's documentation says (it has thought of something new). It would be the same the next time, and hold up all that comes
// after it; to pass it over would lose it: so it arrives as an `event` with nothing but its payload.
import { type Context, type Draft, toSpoolwayError } from "../sdk.ts";

type Told = Pick<Draft, "key" | "raw">;

/** For a catch of what makes a draft of an event and asks nobody anything: whatever fails there, the event is to blame. */
export function draftAsItIs({ log }: Pick<Context, "log">, { key, raw }: Told): (error: unknown) => Draft {
  return (error) => {
    log.warn("event.not_understood", { error: toSpoolwayError(error).message });
    return { kind: "event", key, raw };
  };
}

/** For a catch of what delivers a draft, or makes and delivers it: delivers its payload instead where it is the event that is to blame. Throws every other failure. */
export function asItIs(
  ctx: Pick<Context, "deliver" | "log">,
  told: Told,
): (error: unknown) => Promise<unknown> {
  return async (error) => {
    if (!(error instanceof TypeError) && toSpoolwayError(error).code !== "invalid_event") throw error;
    return ctx.deliver(draftAsItIs(ctx, told)(error));
  };
}
