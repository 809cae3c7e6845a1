// One connector's process by itself, on the test's own platform: both directions, and how it ends.
import { expect, test } from "vitest";
import { startConnector } from "../../helpers/connectorProcess.ts";
import { Oracle, orderProblem } from "../../helpers/oracle.ts";
import { startWire, wireType } from "../../helpers/servers/wire.ts";
import { waitFor } from "../../helpers/wait.ts";

test("a connector's process carries both directions and exits 0 when asked", async () => {
  const wire = await startWire();
  const one = await startConnector({ type: wireType, port: wire.port });
  await one.waitForState("live");
  wire.say("alpha", "in 0");
  await one.waitForEvent("in 0");
  await waitFor(() => wire.waiting === 0);
  const id = one.send("one", { conversation_id: "alpha", text: "out 0" });
  expect(await one.waitForReceipt("one", id)).toMatchObject({ platform_id: `wire-${id}` });
  expect(wire.arrivals.get("alpha")).toEqual([{ id, text: "out 0" }]);
  expect(await one.stop()).toEqual({ code: 0, signal: null });
  expect(new Oracle(one.spool, "one").checkSettled(new Map([[id, "sent"]]))).toEqual([]);
});

test("without a supervisor it ends at once", async () => {
  const wire = await startWire();
  const one = await startConnector({ type: wireType, port: wire.port });
  await one.waitForState("live");
  one.orphan();
  expect((await one.exited()).code).toBe(111);
});

test("the oracle sees what is missing, doubled, torn or out of order", async () => {
  const wire = await startWire();
  const one = await startConnector({ type: wireType, port: wire.port });
  await one.waitForState("live");
  const id = one.send("one", { conversation_id: "alpha", text: "out 0" });
  await one.waitForReceipt("one", id);
  await one.stop();
  const problems = (expected: Array<[string, "sent" | "failed"]>) =>
    new Oracle(one.spool, "one").checkSettled(new Map(expected));
  expect(problems([[id, "failed"]])).toHaveLength(1);
  expect(problems([])).toHaveLength(1);
  expect(
    problems([
      [id, "sent"],
      ["other", "sent"],
    ]),
  ).toHaveLength(1);
  one.drop("one", { id, conversation_id: "alpha", text: "again" });
  expect(new Oracle(one.spool, "one").checkStill([id])).toEqual([`${id} is in outbox+sent`]);
  one.drop("../inbox", '{"version":1', "20261120T235201.123456Z-a.json");
  expect(new Oracle(one.spool, "one").checkStill([])[0]).toContain("torn");
  expect(orderProblem(["a", "a", "b", "c"], ["a", "b", "c"])).toBeUndefined();
  expect(orderProblem(["a", "b", "a", "c"], ["a", "b", "c"])).toContain("position 2");
  expect(orderProblem(["a", "c"], ["a", "b", "c"])).toContain("position 1");
});
