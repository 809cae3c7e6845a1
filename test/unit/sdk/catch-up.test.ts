// What was missed: from where it is read, that it comes before what is new, that one room takes no other down; and look-ups, people, notes.
import { expect, test } from "vitest";
import { type Draft, rateLimited, reject, SpoolwayError } from "../../../runtime/sdk.ts";
import { CatchUp, type History, type Span } from "../../../runtime/sdk/catch-up.ts";
import { Lookups } from "../../../runtime/sdk/lookups.ts";
import { People } from "../../../runtime/sdk/people.ts";
import { Recent } from "../../../runtime/sdk/recent.ts";
import { TestContext } from "../../helpers/context.ts";

const hourS = 3600;

const made = (...drafts: Draft[]) => drafts.map((draft) => async () => draft);

function setUp(history: Partial<History<string>> = {}) {
  const context = new TestContext("test", "/nowhere", {});
  const { signal, log, deliver } = context;
  const ctx = { ...context.sending(), signal, log, deliver: deliver.bind(context), limit: 100 };
  const reads: Array<[string, number, number]> = [];
  const read = async (room: string, { sinceS, oldestS }: Span) => {
    reads.push([room, sinceS, oldestS]);
    return made({ key: [room, "1"], content: { text: `in ${room}` } });
  };
  const whole = { clockAheadMs: 0, hoursMax: 24, rooms: async () => ["a", "b"], read, ...history };
  const missed = new CatchUp(signal);
  const run = (since?: string) => missed.run(whole, since, ctx);
  return { context, missed, run, reads };
}

const nowS = (): number => Date.now() / 1000;

test("the first time nothing is read, and the time is noted, by the platform's clock", async () => {
  const { run, reads, missed } = setUp({ clockAheadMs: 3_600_000 });
  const { cursor } = await run();
  await missed.done;
  expect(reads).toEqual([]);
  expect(Math.abs(Number(cursor) - nowS() - hourS)).toBeLessThan(10);
});

test("every room is read from the cursor on, with an overlap, and no further back than wanted", async () => {
  const { run, reads, context } = setUp();
  const since = nowS() - hourS;
  await run(String(since));
  expect(reads.map(([room]) => room)).toEqual(["a", "b"]);
  expect(reads[0]?.[1]).toBeCloseTo(since - 60, 0);
  expect(Math.abs(Number(reads[0]?.[2]) - nowS() + 24 * hourS)).toBeLessThan(10);
  expect(context.texts()).toEqual(["in a", "in b"]);
  await run(String(nowS() - 1000 * hourS));
  expect(reads[2]?.[1]).toBeGreaterThan(nowS() - 25 * hourS);
  const far = setUp({ hoursMax: 720 });
  await far.run(String(since));
  expect(far.reads[0]?.[2]).toBeCloseTo(since - 60 - 24 * hourS, 0);
});

test("with 0 hours nothing is read", async () => {
  const { run, reads } = setUp({ hoursMax: 0 });
  await run("1");
  expect(reads).toEqual([]);
});

test("what is new waits for it, but not for a limit; a failure lets it go, too", async () => {
  const order: string[] = [];
  const reading = Promise.withResolvers<[]>();
  const held = setUp({ read: () => reading.promise });
  const running = held.run(String(nowS())).then(() => order.push("caught up"));
  void held.missed.done.then(() => order.push("live"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual([]);
  reading.resolve([]);
  await running;
  expect(order).toEqual(["live", "caught up"]);

  let asked = 0;
  const ask = async (): Promise<[]> => {
    asked += 1;
    if (asked === 1) throw rateLimited("wait", 50);
    return [];
  };
  const limited = setUp({ read: (_room, _span, patience) => patience(ask) });
  const slowly = limited.run(String(nowS()));
  await limited.missed.done;
  expect(asked).toBe(1);
  await slowly;

  const failing = setUp({ rooms: () => Promise.reject(new Error("no network")) });
  await expect(failing.run(String(nowS()))).rejects.toThrow("no network");
  await failing.missed.done;
});

test("a room that is not shown is said in the log, and the others come", async () => {
  const { run, context } = setUp({
    read: async (room) => {
      if (room === "a") throw reject("not shown", "rejected", { hint: "ask" });
      return made({ key: [room], content: { text: room } });
    },
  });
  await run(String(nowS()));
  expect(context.texts()).toEqual(["b"]);
  expect(context.logged("history.refused")[0]?.fields).toEqual({ error: "not shown", hint: "ask" });
});

test("what is no valid event comes as the platform told it, and what follows comes", async () => {
  const drafts = ["bad", "good"].map((text) => ({ key: [text], content: { text }, raw: { said: text } }));
  const { run, context } = setUp({ rooms: async () => ["a"], read: async () => made(...drafts) });
  context.beforeDeliver = ({ content }) => {
    if (content?.text === "bad") throw new SpoolwayError("invalid_event", "no");
  };
  await run(String(nowS()));
  const [first, second] = context.delivered;
  expect(first).toMatchObject({ kind: "event", key: ["bad"], raw: { said: "bad" } });
  expect(second).toMatchObject({ key: ["good"], content: { text: "good" } });
});

test("the session's end lets go of whoever waits", async () => {
  const { missed, context } = setUp();
  context.abort();
  await missed.done;
});

test("a look-up is asked once, a failed one is no obstacle, and memory is bounded", async () => {
  const asked: string[] = [];
  const failed: string[] = [];
  const find = async (id: string): Promise<string> => {
    asked.push(id);
    if (id === "bad") throw new Error("no");
    return id.toUpperCase();
  };
  const lookups = new Lookups(find, (id) => failed.push(id), { max: 2 });
  expect(await Promise.all([lookups.get("a"), lookups.get("a"), lookups.get("bad")])).toEqual([
    "A",
    "A",
    undefined,
  ]);
  expect(asked).toEqual(["a", "bad"]);
  expect(failed).toEqual(["bad"]);
  await lookups.get("bad");
  expect(asked).toEqual(["a", "bad"]);
  await lookups.get("c");
  await lookups.get("a");
  expect(asked).toEqual(["a", "bad", "c", "a"]);
});

test("who said it: a person, an app, ourselves, nobody", async () => {
  const people = new People(
    async (id) => ({ name: `name of ${id}`, real_name: "Real", is_bot: id === "UB" }),
    ["ME", "MEBOT"],
  );
  const ada = { id: "U1", username: "name of U1", display_name: "Real", is_bot: false, is_self: false };
  expect(await people.sender({ id: "U1" })).toEqual(ada);
  expect(await people.sender({ id: "UB", botId: "B1" })).toMatchObject({ id: "UB", is_bot: true });
  const app = { id: "B1", username: "deploys", display_name: "deploys", is_bot: true, is_self: false };
  expect(await people.sender({ botId: "B1", name: "deploys" })).toEqual(app);
  expect(await people.sender({ id: "ME" })).toMatchObject({ is_self: true });
  expect(await people.sender({ botId: "MEBOT" })).toMatchObject({ is_self: true });
  expect(await people.sender({})).toBeUndefined();
  const nameless = new People(async () => ({ name: "", real_name: "" }), []);
  expect(await nameless.sender({ id: "U1", name: "" })).toMatchObject({ id: "U1", username: "U1" });
});

test("notes are there after a restart, the newest of them", async () => {
  const values = new Map<string, unknown>();
  const open = () => Recent.open<string>(new TestContext("test", "/nowhere", {}, values).state, "notes", 2);
  const recent = await open();
  for (const id of ["a", "b", "a", "c"]) await recent.note(id, `of ${id}`);
  const later = await open();
  expect(["a", "b", "c"].map((id) => later.get(id))).toEqual(["of a", undefined, "of c"]);
});
