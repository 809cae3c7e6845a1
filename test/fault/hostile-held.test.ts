// Writers that do not let go: of a file that was claimed, of one that they lease, of names that are in use; and thousands of files that never get finished. On
// real connector processes.
import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ConnectorSettings } from "../../runtime/config/model.ts";
import { atEnd, endChild, trackChild } from "../helpers/children.ts";
import { type ConnectorProcess, startConnector } from "../helpers/connectorProcess.ts";
import { waitFor } from "../helpers/wait.ts";

const scripted = join(import.meta.dirname, "../helpers/connectors/scripted");

async function start(home?: string, settings: Partial<ConnectorSettings> = {}): Promise<ConnectorProcess> {
  const quick = { settleMs: 1000, retryBaseMs: 20, retryMaxMs: 100, ...settings };
  const one = await startConnector({
    type: scripted,
    log: "../../../sends.jsonl",
    settings: quick,
    ...(home === undefined ? {} : { home }),
  });
  await one.waitForState("live", 30_000);
  return one;
}

const sends = (one: ConnectorProcess): Array<{ id: string; text: string }> => {
  const path = join(one.home, "sends.jsonl");
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: string; text: string });
};

/** A drop whose writer keeps it open. */
function dropAndHold(one: ConnectorProcess, id: string, script: string): number {
  const fd = openSync(join(one.spool, "outbox/one", `${id}.json`), "w");
  writeSync(fd, JSON.stringify({ id, conversation_id: id, text: "whole", meta: { script: [script, "ok"] } }));
  return fd;
}

test("a writer that goes on writing into a claimed drop changes nothing of what is sent", async () => {
  const one = await start();
  const fd = dropAndHold(one, "slow", "slow");
  await waitFor(() => sends(one).length === 1);
  ftruncateSync(fd, 0);
  writeSync(fd, '{"conversation_id":"evil","text":"other"', 0);
  await one.waitForReceipt("one", "slow");
  writeSync(fd, "more");
  closeSync(fd);
  expect(sends(one).map(({ id, text }) => [id, text])).toEqual([["slow", "whole"]]);
});

test("a claimed drop that its writer spoils or blows up to a terabyte is a dead letter at the next start, and nothing waits for it", async () => {
  const one = await start();
  const spoiled = dropAndHold(one, "spoiled", "hang");
  const huge = dropAndHold(one, "huge", "hang");
  await waitFor(() => sends(one).length === 2);
  writeSync(spoiled, "spoiled", 0);
  ftruncateSync(huge, 2 ** 40);
  await one.kill();
  const again = await start(one.home);
  expect((await again.waitForDeadLetter("one", "spoiled")).error).toContain("the claim was damaged");
  expect((await again.waitForDeadLetter("one", "huge")).error).toContain("the claim was damaged");
  again.drop("one", { id: "normal", conversation_id: "c", text: "normal" });
  await again.waitForReceipt("one", "normal");
  await waitFor(() => again.list("sending/one").length === 0);
  for (const fd of [spoiled, huge]) closeSync(fd);
});

/** Holds a write lease on the file: whoever opens it without waiting is sent away. */
const leaseHolder = `
import fcntl, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
f = open(sys.argv[1], "r+")
fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
time.sleep(600)
`;

async function lease(path: string): Promise<ChildProcess | undefined> {
  const holder = trackChild(
    spawn("python3", ["-c", leaseHolder, path], { stdio: ["ignore", "pipe", "ignore"] }),
    "lease holder",
  );
  atEnd(() => endChild(holder));
  let said = "";
  holder.stdout?.setEncoding("utf8").on("data", (text: string) => (said += text));
  await waitFor(() => said !== "" || holder.exitCode !== null, { timeoutMs: 30_000 });
  return said === "" ? undefined : holder;
}

test("a drop that another program leases holds up no other, and ends when it is not given back", async () => {
  const one = await start();
  // Made under another name: a lease has to be there before anybody opens it.
  const path = one.drop("one", { conversation_id: "leased", text: "leased" }, "leased.tmp");
  const holder = await lease(path);
  if (holder === undefined) {
    console.warn("SKIPPED: no leases here (no python3, or the file system has none)");
    return;
  }
  renameSync(path, path.replace(/tmp$/, "json"));
  one.drop("one", { id: "normal", conversation_id: "c", text: "normal" });
  await one.waitForReceipt("one", "normal");
  expect((await one.waitForDeadLetter("one", ({ drop }) => drop === "leased.json")).code).toBe("unreadable");
  expect(one.logs()).not.toContain("outbox.unreadable");
});

test("a bad drop under the id of an accepted message, waiting or being sent, takes nothing away from it", async () => {
  const one = await start();
  const scheduled = {
    id: "waits",
    conversation_id: "c",
    text: "good",
    not_before: new Date(Date.now() + 4000).toISOString(),
  };
  one.drop("one", scheduled, "1.json");
  one.drop("one", { id: "sends", conversation_id: "d", text: "good", meta: { script: ["slow"] } }, "2.json");
  await waitFor(() => one.list("retry/one").length === 1 && sends(one).length === 1);
  one.drop("one", { id: "waits", conversation_id: "c", txet: "bad" }, "3.json");
  one.drop("one", { id: "sends", conversation_id: "d", txet: "bad" }, "4.json");
  // A record that somebody forged, too: its id is known, what it holds is not.
  const forged = {
    record: "retry",
    version: 1,
    id: "sends",
    connector: "one",
    due_at: "2026-01-01T00:00:00Z",
    attempts: 3,
    budget_used: 0,
  };
  one.drop("one", { ...forged, message: { conversation_id: "x", text: "forged" } }, "5.json");
  const letters = () =>
    one
      .deadLetters("one")
      .map(({ drop, code }) => `${drop} ${code}`)
      .sort();
  await waitFor(() => letters().length === 3, { message: () => one.where("one") });
  expect(letters()).toEqual(["3.json invalid_message", "4.json invalid_message", "5.json duplicate_id"]);
  expect([one.deadLetter("one", "waits"), one.deadLetter("one", "sends")]).toEqual([undefined, undefined]);
  await one.waitForReceipt("one", "sends");
  // What the refusals left must not be taken for the outcome of the scheduled one by a start.
  await one.stop();
  const again = await start(one.home);
  await again.waitForReceipt("one", "waits", { timeoutMs: 30_000 });
  expect(letters()).toHaveLength(3);
  expect(sends(again).every(({ text }) => text === "good")).toBe(true);
});

test("a record that only says to be a copied dead letter does not take that letter's place", async () => {
  const one = await start();
  one.drop("one", { id: "dead", conversation_id: "c", text: "good", meta: { script: ["reject"] } }, "1.json");
  const letter = await one.waitForDeadLetter("one", "dead");
  one.drop(
    "one",
    { ...letter, content_sha256: "0".repeat(64), message: { conversation_id: "c", text: "forged" } },
    "2.json",
  );
  expect(await one.waitForDeadLetter("one", ({ code }) => code === "duplicate_id")).toMatchObject({
    drop: "2.json",
  });
  expect(one.deadLetter("one", "dead")).toEqual(letter);
});

test(
  "thousands of files that are never finished cost others seconds at most, and end",
  { timeout: 120_000 },
  async () => {
    const one = await start();
    const outbox = join(one.spool, "outbox/one");
    const count = 1000;
    const half = `{"conversation_id":"c","text":"${"x".repeat(20_000)}`;
    mkdirSync(outbox, { recursive: true });
    for (let n = 0; n < count; n += 1) writeFileSync(join(outbox, `half-${n}.json`), half);
    let worstMs = 0;
    for (let n = 0; one.list("failed/one").length < 2 * count; n += 1) {
      const began = performance.now();
      one.send("one", { id: `normal-${n}`, conversation_id: "n", text: "normal" });
      await one.waitForReceipt("one", `normal-${n}`, { timeoutMs: 60_000 });
      worstMs = Math.max(worstMs, performance.now() - began);
      if (n > 2000) throw new Error(one.where("one"));
    }
    console.log(
      `${count} unfinished drops of 20 kB: the slowest message beside them took ${Math.round(worstMs)} ms`,
    );
    // A second or three on an idle machine.
    expect(worstMs).toBeLessThan(30_000);
  },
);
