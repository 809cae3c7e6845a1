// What a send leaves in memory: nothing. A connection may live for months.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import { World } from "../../fault/world.ts";
import { Ledger } from "../../helpers/ledger.ts";
import { waitFor } from "../../helpers/wait.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test("a message that was sent is forgotten while its session goes on", { timeout: 60_000 }, async () => {
  const root = mkdtempSync(join(tmpdir(), "spoolway-sender-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "spool"));
  const world = new World(join(root, "spool"), new Ledger());
  const given: Array<WeakRef<AbortSignal>> = [];
  const { send } = world.port;
  world.port.send = (message, attempt, mayHaveBeenSent, signal) => {
    given.push(new WeakRef(signal));
    return send(message, attempt, mayHaveBeenSent, signal);
  };
  await world.start();
  const count = 20;
  for (let n = 0; n < count; n += 1) await world.send(await world.dropDurably("hello"));
  await world.stop();
  expect(given).toHaveLength(count);
  // The last one may still be on the stack.
  await waitFor(() => {
    collectGarbage();
    return given.filter((signal) => signal.deref() !== undefined).length <= 1;
  });
});
