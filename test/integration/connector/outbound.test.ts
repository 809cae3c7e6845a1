// What a connector's process does with drops: the design's outbound section and its table of fates, each on a real process and a real spool.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  appendFileSync,
  copyFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ConnectorSettings } from "../../../runtime/config/model.ts";
import { type ConnectorProcess, startConnector } from "../../helpers/connectorProcess.ts";
import { waitFor } from "../../helpers/wait.ts";

const scripted = join(import.meta.dirname, "../../helpers/connectors/scripted");
const quick: Partial<ConnectorSettings> = {
  retryBaseMs: 20,
  retryMaxMs: 100,
  settleMs: 400,
  sendTimeoutMs: 800,
};

interface Sent {
  id: string;
  conversation_id: string;
  text?: string;
  attempt: number;
  mayHaveBeenSent: boolean;
  at: number;
}

async function start(settings: Partial<ConnectorSettings> = {}, options: Record<string, unknown> = {}) {
  const one = await startConnector({
    type: scripted,
    log: "../../../sends.jsonl",
    ...options,
    settings: { ...quick, ...settings },
  });
  await one.waitForState("live");
  return one;
}

function sends(one: ConnectorProcess): Sent[] {
  const path = join(one.home, "sends.jsonl");
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Sent);
}

const files = (one: ConnectorProcess, folder: string): string[] =>
  readdirSync(join(one.spool, folder, "one"));
const message = (id: string, more: Record<string, unknown> = {}) => ({
  id,
  conversation_id: "c",
  text: id,
  ...more,
});
const scriptOf = (...script: string[]) => ({ meta: { script } });

test("a drop is sent once, its receipt has the platform's id and echoes meta, and nothing else stays", async () => {
  const one = await start();
  one.drop("one", message("m1", { meta: { order: 7 } }), "any name (1).json");
  const receipt = await one.waitForReceipt("one", "m1");
  expect(receipt).toMatchObject({
    record: "receipt",
    platform_id: "p-m1",
    attempts: 1,
    drop: "any name (1).json",
  });
  expect(receipt.meta).toEqual({ order: 7 });
  await waitFor(() => files(one, "sending").length === 0);
  expect(files(one, "outbox")).toEqual([]);
  expect(sends(one)).toHaveLength(1);
});

test("the least that a producer writes works, and numbers beyond 2^53 stay exact as ids", async () => {
  const one = await start();
  one.drop("one", '\ufeff{"conversation_id": 12345678901234567890, "text": "hi"}');
  await waitFor(() => sends(one).length === 1);
  expect(sends(one)[0]).toMatchObject({ conversation_id: "12345678901234567890", text: "hi", attempt: 1 });
});

test("reject is a dead letter with the platform's own words; later messages of the conversation go on", async () => {
  const one = await start();
  one.drop("one", message("bad", scriptOf("reject")), "1.json");
  one.drop("one", message("good"), "2.json");
  const letter = await one.waitForDeadLetter("one", "bad");
  expect(letter).toMatchObject({ code: "rejected", error: "the platform says no", attempts: 1 });
  expect(letter.message).toMatchObject({ text: "bad" });
  await one.waitForReceipt("one", "good");
});

test("retry waits on disk with its history, holds its own conversation and no other", async () => {
  const one = await start();
  one.drop("one", message("first", scriptOf("retry", "retry", "ok")), "1.json");
  one.drop("one", message("second"), "2.json");
  one.drop("one", message("other", { conversation_id: "d" }), "3.json");
  await one.waitForReceipt("one", "second");
  const receipt = one.receipt("one", "first");
  expect(receipt?.attempts).toBe(3);
  expect(receipt?.history?.map((attempt) => attempt.fate)).toEqual(["retry", "retry"]);
  const order = sends(one).map((sent) => sent.id);
  expect(order.indexOf("second")).toBe(order.length - 1);
  expect(order.indexOf("other")).toBeLessThan(order.lastIndexOf("first"));
});

test("an unknown throw is a retry; after retry.attempts it is a dead letter with its history", async () => {
  const one = await start({ retryAttempts: 3 });
  one.drop("one", message("m", scriptOf("throw")));
  const letter = await one.waitForDeadLetter("one", "m");
  expect(letter).toMatchObject({ code: "attempts_exhausted", attempts: 3 });
  expect(letter.history).toHaveLength(3);
  expect(letter.error).toContain("something unforeseen");
});

test("what a failed send quotes of our secrets is not in its records", async () => {
  const one = await start({ retryAttempts: 2 }, { password: "hunter2-hunter2" });
  one.drop("one", message("m1", scriptOf("quote")));
  const letter = await one.waitForDeadLetter("one", "m1");
  expect(letter.history).toHaveLength(2);
  expect(JSON.stringify(letter)).toContain("https://user:[redacted]@example.org");
  expect(JSON.stringify(letter)).not.toContain("hunter2");
});

test("rate_limited holds everything and counts no attempt", async () => {
  const one = await start({ retryAttempts: 1 });
  one.drop("one", message("limited", scriptOf("limited", "ok")), "1.json");
  await waitFor(() => sends(one).length === 1);
  one.drop("one", message("other", { conversation_id: "d" }), "2.json");
  await one.waitForReceipt("one", "other");
  await one.waitForReceipt("one", "limited");
  const [first, ...later] = sends(one);
  for (const sent of later) expect(sent.at - (first?.at ?? 0)).toBeGreaterThan(600);
});

test("reconnect reopens the session and counts no attempt", async () => {
  const one = await start({ retryAttempts: 1 });
  one.drop("one", message("m", scriptOf("reconnect", "ok")));
  expect((await one.waitForReceipt("one", "m")).attempts).toBe(2);
  expect(one.logs()).toContain("session.lost");
});

test("stop leaves the message for later and exits 100 with what to do", async () => {
  const one = await start();
  one.drop("one", message("m", scriptOf("stop")));
  expect(await one.exited()).toMatchObject({ code: 100 });
  expect(one.endings[0]).toMatchObject({ code: "unauthorized", user_action: "Make a new token." });
  expect(files(one, "retry")).toHaveLength(1);
  expect(one.deadLetters("one")).toEqual([]);
});

test("uncertain is sent again with the same id and says so; with hold it is a dead letter", async () => {
  const one = await start();
  one.drop("one", message("m", scriptOf("uncertain", "ok")));
  await one.waitForReceipt("one", "m");
  expect(sends(one).map((sent) => sent.mayHaveBeenSent)).toEqual([false, true]);
  const held = await start({ onUncertain: "hold" });
  held.drop("one", message("h", scriptOf("uncertain", "ok")));
  expect(await held.waitForDeadLetter("one", "h")).toMatchObject({ code: "outcome_unknown" });
  expect(sends(held)).toHaveLength(1);
});

test("a send that never answers is uncertain after send_timeout and does not hold other conversations", async () => {
  const one = await start({ onUncertain: "hold", sendTimeoutMs: 300 });
  one.drop("one", message("hangs", scriptOf("hang")), "1.json");
  one.drop("one", message("other", { conversation_id: "d" }), "2.json");
  await one.waitForReceipt("one", "other");
  expect(await one.waitForDeadLetter("one", "hangs")).toMatchObject({ code: "outcome_unknown" });
});

test("a crash while sending: resend with the same id, hold, or what the platform says", async () => {
  const outcomes = async (settings: Partial<ConnectorSettings>, found?: string) => {
    const one = await start(settings, found === undefined ? {} : { found });
    one.drop("one", message("m", scriptOf("crash", "ok")));
    expect(await one.exited()).toMatchObject({ code: 7 });
    expect(files(one, "sending")).toEqual(["m~1.json"]);
    const again = await startConnector({
      type: scripted,
      log: "../../../sends.jsonl",
      home: one.home,
      settings: { ...quick, ...settings },
      ...(found === undefined ? {} : { found }),
    });
    await waitFor(() => again.receipt("one", "m") ?? again.deadLetter("one", "m"));
    await waitFor(() => files(again, "sending").length === 0);
    return { receipt: again.receipt("one", "m"), letter: again.deadLetter("one", "m"), sends: sends(again) };
  };
  const resent = await outcomes({});
  expect(resent.receipt).toMatchObject({ attempts: 2, platform_id: "p-m" });
  expect(resent.sends.map((sent) => [sent.attempt, sent.mayHaveBeenSent])).toEqual([
    [1, false],
    [2, true],
  ]);
  expect((await outcomes({ onUncertain: "hold" })).letter).toMatchObject({ code: "outcome_unknown" });
  expect((await outcomes({}, "sent")).receipt).toMatchObject({ platform_id: "found-m", reconciled: true });
  expect((await outcomes({ onUncertain: "hold" }, "not_sent")).receipt).toMatchObject({ attempts: 2 });
});

test("a message that crashes the process each time ends as a dead letter", async () => {
  let one = await start({ retryAttempts: 2 });
  one.drop("one", message("poison", scriptOf("crash")));
  for (let round = 0; round < 4; round += 1) {
    if (
      (await Promise.race([one.exited(), one.waitForDeadLetter("one", "poison")])) &&
      one.deadLetter("one", "poison")
    )
      break;
    one = await startConnector({
      type: scripted,
      log: "../../../sends.jsonl",
      home: one.home,
      settings: { ...quick, retryAttempts: 2 },
    });
  }
  expect(await one.waitForDeadLetter("one", "poison")).toMatchObject({ code: "attempts_exhausted" });
  expect(sends(one)).toHaveLength(2);
});

test("order inside a conversation is mtime, then name", async () => {
  const one = await start({}, {});
  await one.stop();
  const at = new Date(Date.now() - 10_000);
  for (const [name, second] of [
    ["b", 0],
    ["a", 0],
    ["z", -5],
    ["0", 5],
  ] as const) {
    const path = one.drop("one", message(name), `${name}.json`);
    const time = new Date(at.getTime() + second * 1000);
    utimesSync(path, time, time);
  }
  const again = await startConnector({
    type: scripted,
    log: "../../../sends.jsonl",
    home: one.home,
    settings: quick,
  });
  await again.waitForReceipt("one", "0");
  expect(sends(again).map((sent) => sent.id)).toEqual(["z", "a", "b", "0"]);
});

test("priority decides between conversations, never inside one", async () => {
  const one = await start({ concurrency: 1 });
  one.drop("one", message("slow", { conversation_id: "s", ...scriptOf("slow") }), "0.json");
  await waitFor(() => sends(one).length === 1);
  one.drop("one", message("low", { conversation_id: "l", priority: -5 }), "1.json");
  one.drop("one", message("high", { conversation_id: "h", priority: 50 }), "2.json");
  one.drop("one", message("late", { conversation_id: "h", priority: 100 }), "3.json");
  await one.waitForReceipt("one", "low");
  const order = sends(one).map((sent) => sent.id);
  expect(order[1]).toBe("high");
  expect(order.indexOf("high")).toBeLessThan(order.indexOf("late"));
  expect(order.at(-1)).toBe("low");
});

test("not_before waits in retry/ without holding its conversation, also across a restart", async () => {
  const one = await start();
  one.drop("one", message("later", { not_before: new Date(Date.now() + 2500).toISOString() }), "1.json");
  await waitFor(() => files(one, "retry").length === 1);
  one.drop("one", message("now"), "2.json");
  await one.waitForReceipt("one", "now");
  await one.stop();
  const again = await startConnector({
    type: scripted,
    log: "../../../sends.jsonl",
    home: one.home,
    settings: quick,
  });
  await again.waitForReceipt("one", "later");
  expect(sends(again).map((sent) => sent.id)).toEqual(["now", "later"]);
});

test("a scheduled message that is moved back into the outbox is not lost", async () => {
  const one = await start();
  const text = JSON.stringify({
    conversation_id: "c",
    text: "later",
    not_before: new Date(Date.now() + 2000).toISOString(),
  });
  one.drop("one", text, "later.json");
  await waitFor(() => files(one, "retry").length === 1);
  const [file = ""] = files(one, "retry");
  renameSync(join(one.spool, "retry/one", file), join(one.spool, "outbox/one/back.json"));
  await waitFor(() => sends(one).length === 1);
  expect(sends(one)[0]).toMatchObject({ text: "later" });
});

test("an outbox folder that is removed and made again is found", async () => {
  const one = await start();
  rmSync(join(one.spool, "outbox/one"), { recursive: true });
  one.drop("one", message("after"));
  await one.waitForReceipt("one", "after");
});

test("expires_at in the past is a dead letter, in outbox/ and in retry/", async () => {
  const one = await start();
  one.drop("one", message("old", { expires_at: "2020-01-01T00:00:00Z" }));
  expect(await one.waitForDeadLetter("one", "old")).toMatchObject({ code: "expired" });
  one.drop(
    "one",
    message("soon", { ...scriptOf("retry"), expires_at: new Date(Date.now() + 300).toISOString() }),
  );
  expect(await one.waitForDeadLetter("one", "soon")).toMatchObject({ code: "expired" });
});

test("a repeated drop is one message; another content under the same id is refused and kept", async () => {
  const one = await start();
  one.drop("one", message("m"), "1.json");
  await one.waitForReceipt("one", "m");
  one.drop("one", message("m"), "2.json");
  await waitFor(() => files(one, "outbox").length === 0);
  one.drop("one", message("m", { text: "different" }), "3.json");
  const letter = await one.waitForDeadLetter("one", (found) => found.code === "duplicate_id");
  expect(letter.raw).toContain("different");
  expect(sends(one)).toHaveLength(1);
});

test("two drops with one id in two conversations at once: one is sent, the other refused", async () => {
  const one = await start();
  await one.stop();
  one.drop("one", message("same", { conversation_id: "a" }), "1.json");
  one.drop("one", message("same", { conversation_id: "b" }), "2.json");
  const again = await startConnector({
    type: scripted,
    log: "../../../sends.jsonl",
    home: one.home,
    settings: quick,
  });
  await again.waitForReceipt("one", "same").catch(() => undefined);
  expect(await again.waitForDeadLetter("one", (found) => found.code === "duplicate_id")).toBeDefined();
  expect(sends(again)).toHaveLength(1);
});

test("a dead letter that is moved back is sent under its old id; a copied one is superseded", async () => {
  const one = await start({ retryAttempts: 1 });
  one.drop("one", message("m", scriptOf("retry", "ok")));
  await one.waitForDeadLetter("one", "m");
  renameSync(join(one.spool, "failed/one/m.json"), join(one.spool, "outbox/one/again.json"));
  expect(await one.waitForReceipt("one", "m").catch(() => one.receipt("one", "m"))).toMatchObject({
    attempts: 2,
  });
  one.drop("one", message("n", scriptOf("retry", "ok")));
  await one.waitForDeadLetter("one", "n");
  copyFileSync(join(one.spool, "failed/one/n.json"), join(one.spool, "outbox/one/copy.json"));
  await waitFor(() => one.receipt("one", "n"));
  expect(one.deadLetter("one", "n")).toBeUndefined();
});

const refusals: Array<[string, string | Uint8Array, string]> = [
  ["an unknown key", '{"conversation_id":"c","txet":"hi"}', "invalid_message"],
  ["a wrong type", '{"conversation_id":"c","text":5}', "invalid_message"],
  ["an id that is no file name", '{"conversation_id":"c","id":"../../x"}', "invalid_message"],
  ["a list", '[{"conversation_id":"c"}]', "invalid_json"],
  ["an empty file", "", "invalid_json"],
  ["half a message", '{"conversation_id":"c","te', "invalid_json"],
  ["duplicate keys", '{"conversation_id":"c","text":"a","text":"b"}', "duplicate_key"],
  ["a __proto__ key", '{"conversation_id":"c","meta":{"__proto__":{"x":1}}}', "forbidden_key"],
  ["an escaped __proto__ key", '{"conversation_id":"c","\\u005f_proto__":1}', "forbidden_key"],
  ["100,000 levels", `{"conversation_id":"c","meta":${"[".repeat(100_000)}`, "too_deep"],
  ["UTF-16", Buffer.from('\ufeff{"conversation_id":"c"}', "utf16le"), "invalid_encoding"],
  ["invalid UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), "invalid_encoding"],
  ["a NUL byte", '{"conversation_id":"c","text":"a\0b"}', "invalid_encoding"],
  ["too many bytes", `{"conversation_id":"c","text":"${"x".repeat(70_000)}"}`, "message_too_large"],
];

test("what is no message lies in failed/ as it was, with a reason, and disturbs nothing", async () => {
  const one = await start({ maxMessageBytes: 60_000 + 50_000 });
  const limit = await start({ maxMessageBytes: 60_000 });
  for (const [index, [what, bytes, code]] of refusals.entries()) {
    const bus = code === "message_too_large" ? limit : one;
    bus.drop("one", bytes as string, `bad${index}.json`);
    bus.drop("one", message(`good${index}`, { conversation_id: `g${index}` }));
    const letter = await bus.waitForDeadLetter("one", (found) => found.drop === `bad${index}.json`);
    expect(letter.code, what).toBe(code);
    expect(letter.hint, what).not.toBe("");
    const kept = readFileSync(join(bus.spool, "failed/one", letter.entry ?? ""));
    expect(kept.equals(Buffer.from(bytes as string)), what).toBe(true);
    await bus.waitForReceipt("one", `good${index}`);
  }
});

test("pipes, links, folders and sockets are refused without being opened; other files beside are left alone", async () => {
  const one = await start();
  const outbox = join(one.spool, "outbox/one");
  for (let n = 0; n < 6; n += 1) execFileSync("mkfifo", [join(outbox, `pipe${n}.json`)]);
  symlinkSync("/etc/passwd", join(outbox, "link.json"));
  mkdirSync(join(outbox, "folder.json"));
  writeFileSync(join(outbox, "beside.txt"), "mine");
  writeFileSync(join(one.home, "hard"), '{"conversation_id":"c","text":"hard"}');
  linkSync(join(one.home, "hard"), join(outbox, "hard.json"));
  one.drop("one", message("good"));
  await one.waitForReceipt("one", "good");
  await waitFor(() => one.deadLetters("one").length === 9);
  expect(one.deadLetters("one").every((letter) => letter.code === "not_a_file")).toBe(true);
  expect(files(one, "outbox")).toEqual(["beside.txt"]);
  expect(readFileSync("/etc/passwd", "utf8")).toContain("root");
});

test("a drop that is written slowly is sent whole, once", async () => {
  const one = await start({ settleMs: 1500 });
  const text = JSON.stringify(message("slow", { text: "x".repeat(2000) }));
  const path = join(one.spool, "outbox/one/slow.json");
  writeFileSync(path, "");
  for (let at = 0; at < text.length; at += 250) {
    appendFileSync(path, text.slice(at, at + 250));
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  await one.waitForReceipt("one", "slow");
  expect(sends(one)[0]?.text).toHaveLength(2000);
  expect(one.deadLetters("one")).toEqual([]);
});

test("attachments beside the drop are captured; those outside are refused", async () => {
  const one = await start();
  const outbox = join(one.spool, "outbox/one");
  writeFileSync(join(outbox, "report.pdf"), "bytes");
  mkdirSync(join(one.home, "secret"));
  writeFileSync(join(one.home, "secret/file"), "secret");
  symlinkSync(join(one.home, "secret"), join(outbox, "dir"));
  one.drop("one", message("ok", { attachments: [{ path: "report.pdf" }] }));
  await one.waitForReceipt("one", "ok");
  expect(readdirSync(join(one.spool, "media"))).toHaveLength(1);
  const bad = [
    "../../../secret/file",
    join(one.home, "secret/file"),
    "dir/file",
    "/etc/passwd",
    "nothing.txt",
    "media/../../x",
  ];
  for (const [index, path] of bad.entries()) {
    one.drop("one", message(`bad${index}`, { attachments: [{ path }] }), `bad${index}.json`);
    const letter = await one.waitForDeadLetter("one", (found) => found.drop === `bad${index}.json`);
    expect(letter.code, path).toBe(path === "nothing.txt" ? "attachment_missing" : "attachment_outside");
  }
  expect(readdirSync(join(one.spool, "media"))).toHaveLength(1);
  expect(sends(one)).toHaveLength(1);
});

test("stopping finishes what is in flight", async () => {
  const one = await start({ drainMs: 5000, sendTimeoutMs: 10_000 });
  one.drop("one", message("slow", scriptOf("slow")));
  await waitFor(() => sends(one).length === 1);
  expect(await one.stop()).toMatchObject({ code: 0 });
  expect(one.receipt("one", "slow")).toBeDefined();
  expect(files(one, "sending")).toEqual([]);
});

test("the rate holds: no more than rate.count in an interval", async () => {
  const one = await start({ rate: { count: 2, perMs: 500 }, concurrency: 8 });
  for (let n = 0; n < 7; n += 1) one.drop("one", message(`m${n}`, { conversation_id: `c${n}` }));
  await waitFor(() => sends(one).length === 7);
  const times = sends(one).map((sent) => sent.at);
  expect((times[6] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1300);
});
