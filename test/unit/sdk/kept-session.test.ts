// What a session is made of that outlives its connection: what is handed over once, what is delivered again, and how messages and codes become bytes and fates.
import { describe, expect, test } from "vitest";
import { reject, sleep, SpoolwayError, uncertain } from "../../../runtime/sdk.ts";
import { fingerprint } from "../../../runtime/sdk/fingerprint.ts";
import { Handover } from "../../../runtime/sdk/handover.ts";
import { isFlag, isOneOf, isTexts, isWhole, metaOptions } from "../../../runtime/sdk/meta-options.ts";
import { contentOf, idBytes, idText } from "../../../runtime/sdk/payload.ts";
import { inBatches } from "../../../runtime/sdk/batches.ts";
import { demandWireStrings, isWireString } from "../../../runtime/sdk/wire-strings.ts";
import { ReasonCodes } from "../../../runtime/sdk/reason-codes.ts";
import { type Arrival, Redelivered } from "../../../runtime/sdk/redelivered.ts";
import { TestContext } from "../../helpers/context.ts";

const context = (): TestContext<object> => new TestContext("sdk", "/", {});
const limits = { maxNumber: 4, maxUnderWay: 2 };

describe("handover", () => {
  /** What the other side does: it takes a number once until it is released. */
  const side = (isHeld = true) => {
    const log: string[] = [];
    return {
      log,
      give: async (number: number, again: boolean) => {
        log.push(`give ${number}${again ? " again" : ""}`);
        return isHeld;
      },
      release: async (number: number) => void log.push(`release ${number}`),
    };
  };
  const lost = () => Promise.reject(uncertain("lost"));

  test("goes on where it was, and does nothing more when it was done", async () => {
    const { state } = context();
    const { log, give, release } = side();
    const first = await Handover.open(state, true, limits);
    await expect(first.hand("a", { give: lost, release })).rejects.toThrow("lost");
    const second = await Handover.open(state, true, limits);
    await expect(second.hand("a", { give, release: lost })).rejects.toThrow("lost");
    const third = await Handover.open(state, true, limits);
    await third.hand("a", { give, release });
    await third.hand("a", { give, release });
    expect(log).toEqual(["give 1 again", "release 1"]);
  });

  test("is new when the other side forgot the numbers, but not when it was done", async () => {
    const { state } = context();
    const { log, give, release } = side();
    const before = await Handover.open(state, true, limits);
    await before.hand("done", { give, release });
    await expect(before.hand("a", { give, release: lost })).rejects.toThrow();
    const after = await Handover.open(state, false, limits);
    await after.hand("done", { give, release });
    await after.hand("a", { give, release });
    expect(log).toEqual(["give 1", "release 1", "give 2", "give 1", "release 1"]);
  });

  test("what was held is released, also when the next try asks for less", async () => {
    const { state } = context();
    const { log, give, release } = side();
    const first = await Handover.open(state, true, limits);
    await expect(first.hand("a", { give, release: lost })).rejects.toThrow("lost");
    const second = await Handover.open(state, true, limits);
    await second.hand("a", { ...side(false), release });
    await second.hand("b", { ...side(false), release });
    expect(log).toEqual(["give 1", "release 1"]);
  });

  test("a new session releases what was to be, and lets go what nobody came back for", async () => {
    const { state } = context();
    const { log, give, release } = side();
    const first = await Handover.open(state, true, { maxNumber: 9 });
    await expect(first.hand("a", { give, release: lost })).rejects.toThrow("lost");
    for (const id of ["b", "c", "d"])
      await expect(first.hand(id, { give: lost, release })).rejects.toThrow("lost");
    const second = await Handover.open(state, true, { maxNumber: 9, maxUnderWay: 4 });
    await second.resume(release);
    for (const id of ["a", "b", "c", "d"]) await second.hand(id, { give, release });
    const [resumed, handed] = [log.slice(1, 3), log.slice(3)];
    expect(resumed).toEqual(["release 1", "release 2"]);
    expect(handed).toEqual(["give 1", "release 1", "give 3 again", "release 3", "give 4 again", "release 4"]);
  });

  test("never gives a number twice, forgets what was refused, and takes no more than the other side does", async () => {
    const { state } = context();
    const { release } = side();
    const handover = await Handover.open(state, true, limits);
    const refused = { give: () => Promise.reject(reject("no")), release };
    await expect(handover.hand("x", refused)).rejects.toThrow("no");
    const open = Promise.withResolvers<boolean>();
    const numbers: number[] = [];
    const waits = { give: (number: number) => (numbers.push(number), open.promise), release };
    const both = [handover.hand("a", waits), handover.hand("b", waits)];
    await expect(handover.hand("c", waits)).rejects.toMatchObject({ fate: "rate_limited" });
    open.resolve(false);
    await Promise.all(both);
    expect(numbers).toEqual([2, 3]);
    const { log, give } = side();
    await handover.hand("x", { give, release });
    expect(log).toEqual(["give 4"]);
  });
});

describe("redelivered", () => {
  const arrival = (text: string, more: Partial<Arrival> = {}): Arrival => ({
    draft: { content: { text } },
    number: 7,
    standsFor: [text],
    ...more,
  });
  const keysOf = (ctx: TestContext<object>): unknown[] => {
    const keys: unknown[] = [];
    ctx.beforeDeliver = ({ key }) => void keys.push(key?.[0]);
    return keys;
  };

  test("one event, one key: until it is confirmed, or freed", async () => {
    const ctx = context();
    const keys = keysOf(ctx);
    const first = await Redelivered.open(ctx.state, true);
    await first.take(ctx, [arrival("on")]);
    const second = await Redelivered.open(ctx.state, true);
    await second.confirm(await second.take(ctx, [arrival("on", { isAgain: true })]));
    await second.take(ctx, [arrival("on", { isAgain: true, untilFreed: true })]);
    await second.confirm(await second.take(ctx, [arrival("on", { isAgain: true, untilFreed: true })]));
    await second.take(ctx, [{ frees: 7 }, arrival("on", { isAgain: true })]);
    const [a, b, c, d, e] = keys;
    expect([a === b, b === c, c === d, d === e]).toEqual([true, false, true, false]);
  });

  test("another content, or a number that is not marked, is another event", async () => {
    const ctx = context();
    const keys = keysOf(ctx);
    const redelivered = await Redelivered.open(ctx.state, true);
    for (const one of [arrival("on"), arrival("off", { isAgain: true }), arrival("off")])
      await redelivered.take(ctx, [one]);
    expect(new Set(keys).size).toBe(3);
  });

  test("what takes its time to be stored is not overtaken", async () => {
    const ctx = context();
    ctx.beforeDeliver = ({ content }) => (content?.attachments ? sleep(20) : undefined);
    const file = (text: string) =>
      arrival(text, { draft: { content: { text, attachments: [{ name: "a", data: Buffer.of(0) }] } } });
    const redelivered = await Redelivered.open(ctx.state, true);
    await redelivered.take(ctx, [arrival("a"), file("b"), arrival("c"), file("d"), { frees: 9 }]);
    expect(ctx.texts()).toEqual(["a", "b", "c", "d"]);
  });

  test("nothing is acknowledged before all is durable; what can never be is, with a line in the log", async () => {
    const ctx = context();
    const redelivered = await Redelivered.open(ctx.state, true);
    const acknowledged: string[] = [];
    const say = (text: string, number: number) =>
      arrival(text, { number, acknowledge: () => void acknowledged.push(text) });
    ctx.beforeDeliver = ({ content }) => {
      if (content?.text === "full") throw new SpoolwayError("spool_full", "full");
      if (content?.text === "bad") throw new SpoolwayError("invalid_event", "bad");
    };
    await expect(redelivered.take(ctx, [say("a", 1), say("full", 2)])).rejects.toThrow("full");
    expect(acknowledged).toEqual([]);
    await redelivered.take(ctx, [say("a", 1), say("bad", 2), say("b", 3)]);
    expect(acknowledged).toEqual(["a", "bad", "b"]);
    expect(ctx.logged("event.refused")).toHaveLength(1);
  });
});

test("meta options name what was expected", () => {
  const checks = { qos: isOneOf(0, 1), retain: isFlag, expiry: isWhole(0, 9), tags: isTexts(3) };
  const options = (given: unknown) =>
    metaOptions(
      { id: "1", action: "message", conversation_id: "x", meta: { mqtt: given, mine: 1 } },
      "mqtt",
      checks,
    );
  expect(options({ qos: 1, tags: { a: "b" } })).toEqual({ qos: 1, tags: { a: "b" } });
  expect(options(undefined)).toEqual({});
  for (const [given, words] of [
    [{ qos: 2 }, "meta.mqtt.qos: expected 0 or 1"],
    [{ retain: "yes" }, "meta.mqtt.retain: expected true or false"],
    [{ expiry: 1.5 }, "meta.mqtt.expiry: expected a whole number from 0 to 9"],
    [{ tags: { a: "long" } }, "meta.mqtt.tags: expected an object of texts of at most 3 bytes"],
    [{ Qos: 1 }, "meta.mqtt: expected only qos, retain, expiry, tags"],
    [{ constructor: 1 }, "meta.mqtt: expected only qos, retain, expiry, tags"],
    [[], "meta.mqtt: expected an object"],
  ] as const)
    expect(() => options(given)).toThrow(words);
});

test("bytes are text where they are, and ids of bytes come back as they were", () => {
  expect(contentOf(Buffer.from("grün"), "x")).toEqual({ text: "grün", format: "plain" });
  for (const bytes of [Buffer.of(0), Buffer.of(0xff)])
    expect(contentOf(bytes, "cam", "image/png").attachments?.[0]).toMatchObject({
      name: "cam",
      media_type: "image/png",
    });
  for (const id of [Buffer.from("q-7"), Buffer.of(0, 255), Buffer.from("base64:AA=="), Buffer.alloc(0)])
    expect(idBytes(idText(id)).equals(id)).toBe(true);
  expect(fingerprint("a", "b")).not.toBe(fingerprint("ab"));
  expect(fingerprint(Buffer.from("a"))).toBe(fingerprint(Buffer.from("a")));
});

test("reason codes are fates, in the words of the table and of whoever said them", () => {
  const codes = new ReasonCodes({
    135: { words: "Not authorized", stop: "Set password.", hint: "Ask for rights." },
    137: { words: "Busy", later: true },
    149: { words: "Packet too large", code: "too_large" },
  });
  expect(codes.refusedLogin("b:1", 135)).toMatchObject({ fate: "stop", hint: "Set password." });
  expect(codes.refusedLogin("b:1", 137, "later").message).toBe("b:1 refused the connection: Busy: later");
  expect(codes.ended("b:1", 77)).toMatchObject({
    fate: "reconnect",
    message: "b:1 ended the session: reason 77",
  });
  expect(codes.refused("t", 135)).toMatchObject({ fate: "reject", hint: "Ask for rights." });
  expect(codes.refused("t", 137)?.fate).toBe("retry");
  expect(codes.refused("t", 149)).toMatchObject({ fate: "reject", code: "too_large" });
  expect(codes.refused("t", 16)).toBeUndefined();
  const refused = (...list: number[]) => list.flatMap((code) => codes.refused("t", code) ?? []);
  expect(codes.refusedAll("all", refused(135, 149), "Ask.")).toMatchObject({ fate: "stop", hint: "Ask." });
  expect(codes.refusedAll("all", refused(135, 137), "Ask.")).toMatchObject({
    fate: "reconnect",
    message: "all: t: Busy",
  });
});

test("strings of packets, and lists in parts", () => {
  const long = "ü".repeat(32_767);
  for (const text of ["", "zimmer/küche 🌱", `${long}!`]) expect(isWireString(text)).toBe(true);
  for (const text of ["a\tb", "a\nb", "\u0085", "\ud83c", "\ufdd0", `${long}ü`]) {
    expect(isWireString(text)).toBe(false);
    expect(() => demandWireStrings([undefined, "fine", text])).toThrow("no control characters");
  }
  expect(() => idBytes(`${long}ü`)).toThrow("65536 bytes");
  expect(inBatches([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
  expect(inBatches([], 2)).toEqual([]);
});
