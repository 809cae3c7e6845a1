// spoolway/sdk/as-told: a thing that is not as the platform says that such things are (it has thought of something new). To fail each time that it comes would hold up all
// that follow, and to pass it over would lose it: it becomes an `event` with the platform's own payload, and nothing that was made of it.
import { type Context, type Draft, toSpoolwayError } from "../sdk.ts";

/** What `make` makes of it; `told` as an event where it throws. Only for what asks nobody anything: a lost connection is no fault of the thing. */
export async function asTold(
  { log }: Pick<Context, "log">,
  told: Pick<Draft, "key" | "raw">,
  make: () => Promise<Draft | undefined>,
): Promise<Draft | undefined> {
  try {
    return await make();
  } catch (error) {
    log.warn("event.not_understood", { error: toSpoolwayError(error).message });
    return { kind: "event", ...told };
  }
}

/** Delivers it, without what was made of it where that is no valid event. Throws what deliver throws otherwise. */
export async function deliverAsTold(
  { log, deliver }: Pick<Context, "log" | "deliver">,
  draft: Draft,
): Promise<void> {
  try {
    await deliver(draft);
  } catch (thrown) {
    const error = toSpoolwayError(thrown);
    if (error.code !== "invalid_event") throw thrown;
    log.warn("event.not_understood", { error: error.message });
    await deliver({ kind: "event", key: draft.key, raw: draft.raw });
  }
}
