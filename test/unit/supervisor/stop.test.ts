// Being asked to end: once is politely, twice is at once, and the same request that arrives twice is one.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { StopRequest } from "../../../runtime/supervisor/stop.ts";

async function isUrged(stop: StopRequest): Promise<boolean> {
  return Promise.race([stop.second.then(() => true), sleep(20).then(() => false)]);
}

test("one Ctrl-C that arrives twice, because npm passes it on, is no second request", async () => {
  const stop = new StopRequest();
  stop.ask("SIGINT", 0);
  stop.ask("SIGINT", 0);
  await stop.first;
  expect(await isUrged(stop)).toBe(false);
  await sleep(1100);
  stop.ask("SIGINT", 0);
  expect(await isUrged(stop)).toBe(true);
});
