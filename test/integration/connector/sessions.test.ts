// The life of sessions in a connector's process: reconnects, probes, ends, syncs. Real processes.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sandboxProblem } from "../../../runtime/sandbox/available.ts";
import { atEnd } from "../../helpers/children.ts";
import { type ConnectorProcess, startConnector } from "../../helpers/connectorProcess.ts";
import { waitFor } from "../../helpers/wait.ts";

const types = join(import.meta.dirname, "../../helpers/connectors");
const sessions = (options: Record<string, unknown> = {}, settings = {}): Promise<ConnectorProcess> =>
  startConnector({ type: join(types, "sessions"), log: "../../../calls.log", ...options, settings });
const calls = (one: ConnectorProcess): string[] =>
  existsSync(join(one.home, "calls.log"))
    ? readFileSync(join(one.home, "calls.log"), "utf8").trim().split("\n")
    : [];

test("a connect that fails is tried again with backoff, and the heartbeat is offline meanwhile", async () => {
  const one = await sessions({ fail_connects: 2 });
  const offline = await one.waitForState("offline");
  expect(offline).toMatchObject({
    liveness: "offline",
    error: { code: "disconnected", message: "connection refused" },
  });
  const live = await one.waitForState("live");
  expect(live.error).toBeUndefined();
  await waitFor(() => calls(one).length === 4);
  expect(calls(one)).toEqual(["connect 1", "connect 2", "connect 3", "receive 3"]);
});

test("an error that quotes a secret of the configuration is shown without it", async () => {
  const one = await startConnector({
    type: join(types, "trouble"),
    how: "quote",
    password: "hunter2-hunter2",
  });
  const { error } = await one.waitForState("offline");
  expect(error?.message).toBe("cannot reach https://user:[redacted]@example.org");
});

test("fetch gives up after the silence that the connector allows, also in the sandbox", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  for (const sandbox of sandboxProblem() === undefined ? [false, true] : [false]) {
    const one = await startConnector({
      ...{ type: join(types, "trouble"), how: "ask", text: `http://${address}/` },
      ...(sandbox ? { runtime: { sandbox }, grants: { network: [address] } } : {}),
    });
    expect((await one.waitForState("offline")).error?.message).toBe("nothing came for 300 ms");
  }
});

test("receiving that ends early is a lost session: closed, then opened again", async () => {
  const one = await sessions({ lose_after_ms: 200 });
  await waitFor(() => calls(one).includes("receive 2"));
  expect(calls(one)).toEqual(["connect 1", "receive 1", "close 1", "connect 2", "receive 2"]);
});

test("a link that its probe calls dead is failing, then reopened, after all tasks ended", async () => {
  const one = await sessions({ deaf: true }, { probeEveryMs: 200 });
  await one.waitForState("failing");
  await waitFor(() => calls(one).includes("receive 2"));
  expect(calls(one).slice(0, 5)).toEqual(["connect 1", "receive 1", "ended 1", "close 1", "connect 2"]);
  expect((await one.waitForState("live")).liveness).toBe("live");
});

test("a link whose probe gets no answer within probe_timeout is as dead", async () => {
  const one = await sessions({ mute: true }, { probeEveryMs: 200, probeTimeoutMs: 300 });
  expect((await one.waitForState("failing")).error?.message).toMatch(/probe took longer than 300 ms/);
  await waitFor(() => calls(one).includes("receive 2"));
  expect((await one.waitForState("live")).liveness).toBe("live");
});

test("a task that does not end with its session ends the process: a second session could send twice", async () => {
  const one = await sessions({ hang: true, deaf: true }, { probeEveryMs: 200 });
  expect(await one.exited()).toMatchObject({ code: 111 });
  expect(one.endings[0]).toMatchObject({ code: "session_stuck" });
  expect(calls(one)).toEqual(["connect 1", "receive 1", "close 1"]);
}, 30_000);

test("stop at connect exits 100 and says what a person should do", async () => {
  const one = await sessions({ stop: true });
  expect(await one.exited()).toMatchObject({ code: 100 });
  expect(one.endings[0]).toMatchObject({
    code: "unauthorized",
    message: "wrong password",
    user_action: "Write the right password.",
  });
  expect(calls(one)).toEqual(["connect 1"]);
});

test("a restart remembers when something was last received", async () => {
  const options = { type: join(types, "syncing"), source: "../../../highest" };
  const one = await startConnector(options);
  writeFileSync(join(one.home, "highest"), "1");
  one.tell({ type: "sync" });
  await waitFor(() => one.heartbeat("one")?.last_received_at);
  await one.stop();
  const before = one.heartbeat("one")?.last_received_at;
  const again = await startConnector({ ...options, home: one.home });
  const beat = await again.waitForState("live");
  expect([beat.last_received_at, beat.received]).toEqual([before, 0]);
});

test("a supervisor that is gone ends the process at once", async () => {
  const one = await sessions();
  await one.waitForState("live");
  one.orphan();
  expect(await one.exited()).toMatchObject({ code: 111 });
});

test("sync: everything once, in order, more pages at once, on demand, through an outage and a restart", async () => {
  const options = {
    type: join(types, "syncing"),
    source: "../../../highest",
    settings: { syncLimit: 10, syncEveryMs: 600_000 },
  };
  const one = await startConnector(options);
  const highest = join(one.home, "highest");
  writeFileSync(highest, "25");
  const numbers = (bus: ConnectorProcess): string[] => bus.events().map((event) => event.content?.text ?? "");
  const upTo = (n: number): string[] => Array.from({ length: n }, (_, index) => String(index + 1));
  await waitFor(() => numbers(one).length === 25, { timeoutMs: 20_000 });
  expect(numbers(one)).toEqual(upTo(25));
  writeFileSync(highest, "fail");
  one.tell({ type: "sync" });
  await waitFor(() => one.heartbeat("one")?.liveness === "failing");
  writeFileSync(highest, "30");
  one.tell({ type: "sync" });
  await waitFor(() => numbers(one).length === 30);
  await one.kill();
  writeFileSync(highest, "40");
  const again = await startConnector({ ...options, home: one.home });
  await waitFor(() => numbers(again).length === 40);
  expect(numbers(again)).toEqual(upTo(40));
});
