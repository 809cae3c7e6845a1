// spoolway/sdk/offset-loop: a queue of updates that the platform keeps until it is asked for what comes after them (long polling with an offset, as of Telegram's Bot API).
//
//   ask(0): what was never confirmed ─▶ take each, in order ─▶ ask(last id + 1): confirms them, and waits for more ─▶ …
//
// Only the platform knows where we are: after a crash it begins with what was not confirmed, and what was taken twice has the same key. An offset is used once: when it
// was answered all before it is forgotten there, and ids need not grow for ever.
import { type Context, sleep } from "../sdk.ts";

/** After an empty answer: a server that does not hold it back is not asked without end. */
const pauseMs = 200;

/** Until the signal aborts. `take` resolves when the update is durable. */
export async function followOffset<Update extends { update_id: number }>(
  { signal, heard }: Pick<Context, "signal" | "heard">,
  ask: (offset: number) => Promise<readonly Update[]>,
  take: (update: Update) => Promise<void>,
): Promise<void> {
  for (let offset = 0; !signal.aborted;) {
    const updates = await ask(offset);
    heard();
    offset = 0;
    for (const update of updates) {
      await take(update);
      offset = update.update_id + 1;
    }
    if (updates.length === 0) await sleep(pauseMs, signal);
  }
}
