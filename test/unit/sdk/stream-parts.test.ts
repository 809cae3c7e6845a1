// The parts of the SDK that a resumable stream of messages is made of: counting, outcomes, the backlog, archives, a domain's servers, the end of a connection.
import { expect, test } from "vitest";
import { type Archive, syncArchives } from "../../../runtime/sdk/archives.ts";
import { Backlog } from "../../../runtime/sdk/backlog.ts";
import { CountedIn, CountedOut } from "../../../runtime/sdk/counted.ts";
import { Lifeline } from "../../../runtime/sdk/lifeline.ts";
import { Outcomes } from "../../../runtime/sdk/outcomes.ts";
import { serverOf } from "../../../runtime/sdk/socket/srv.ts";
import { type Context, reject, retry } from "../../../runtime/sdk.ts";

const signal = new AbortController().signal;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

test("what came in is handled up to the first that is not done", () => {
  const counted = new CountedIn(2 ** 32 - 1);
  const [first, second] = [counted.take(), counted.take()];
  const told: number[] = [];
  counted.whenHandled(() => told.push(counted.handled));
  second();
  expect([counted.handled, told]).toEqual([2 ** 32 - 1, []]);
  first();
  first();
  expect([counted.handled, told]).toEqual([1, [1]]);
  counted.whenHandled(() => told.push(0));
  expect(told).toEqual([1, 0]);
});

test("what went out is acknowledged once, across the end of the numbers, and never more than was sent", () => {
  const counted = new CountedOut<string>(2 ** 32 - 1);
  for (const item of ["a", "b", "c"]) counted.add(item);
  expect(counted.ack(1)).toEqual(["a", "b"]);
  expect(counted.ack(1)).toEqual([]);
  expect(counted.ack(9)).toEqual([]);
  expect(counted.ack(Number.NaN)).toEqual([]);
  expect(counted.ack(2)).toEqual(["c"]);
});

test("an outcome is what the platform says; without an answer it is uncertain, and once all is over nothing is said", async () => {
  const outcomes = new Outcomes("the server");
  const yes = outcomes.ask("1", () => undefined, signal);
  const no = outcomes.ask("2", () => undefined, signal);
  expect(outcomes.settle("1", { platform_id: "x" })).toBe(true);
  expect(outcomes.settle("1", { platform_id: "y" })).toBe(false);
  outcomes.settle("2", reject("too rude"));
  expect(await yes).toEqual({ platform_id: "x" });
  await expect(no).rejects.toMatchObject({ fate: "reject" });
  await expect(outcomes.ask("3", () => undefined, AbortSignal.timeout(5))).rejects.toMatchObject({
    fate: "uncertain",
  });
  const left = outcomes.ask("4", () => undefined, signal);
  outcomes.end("the connection is gone");
  await expect(left).rejects.toMatchObject({ fate: "uncertain" });
  const said: string[] = [];
  await expect(outcomes.ask("5", () => said.push("5"), signal)).rejects.toMatchObject({ fate: "reconnect" });
  expect(said).toEqual([]);
});

test("a backlog holds what is pushed until the older ones are there, keeps the order, and pauses its source while the disk is slow", async () => {
  const delivered: unknown[] = [];
  const states: string[] = [];
  const disk = Promise.withResolvers<void>();
  const source = { pause: () => states.push("paused"), resume: () => states.push("resumed") };
  const deliver = async ({ key }: { key?: readonly string[] }) => {
    await disk.promise;
    delivered.push(key?.[0]);
    return { id: "1", duplicate: false };
  };
  const backlog = new Backlog({ deliver, signal, log: silent } as unknown as Context, () => source);
  const keys = Array.from({ length: 600 }, (_, n) => `${n}`);
  for (const key of keys) backlog.add({ draft: { key: [key] }, bytes: 1 });
  await backlog.idle();
  expect([delivered, states]).toEqual([[], []]); // what is waited for comes over the same connection
  backlog.open();
  expect(states).toEqual(["paused"]);
  disk.resolve();
  await backlog.idle();
  expect(delivered).toEqual(keys);
  expect(states).toEqual(["paused", "resumed"]);
});

/** Entries 1 to `newest`, two a page. */
function archive(name: string, newest: number, delivered: string[]): Archive {
  return {
    name,
    newest: async () => `${newest}`,
    after: async (mark) => {
      const items = [1, 2].map((n) => Number(mark) + n).filter((n) => n <= newest);
      const last = items.at(-1) ?? Number(mark);
      const deliveries = items.map((n) => async () => delivered.push(`${name}${n}`));
      return { deliveries, mark: `${last}`, isLast: last === newest };
    },
  };
}

test("archives: a new one begins now, the others go on page by page; one that cannot be read keeps its mark", async () => {
  const delivered: string[] = [];
  const ctx = { log: silent, signal };
  const first = await syncArchives([archive("a", 1, delivered)], undefined, ctx);
  expect([delivered, first.more]).toEqual([[], false]);
  const broken: Archive = {
    name: "c",
    newest: async () => "",
    after: () => Promise.reject(new Error("not now")),
  };
  const since = JSON.stringify({ ...(JSON.parse(first.cursor) as object), c: "7", gone: "3" });
  const second = await syncArchives(
    [broken, archive("a", 4, delivered), archive("b", 2, delivered)],
    since,
    ctx,
  );
  expect([delivered, second.more]).toEqual([["a2", "a3"], true]);
  expect(JSON.parse(second.cursor)).toEqual({ a: "3", b: "2", c: "7", gone: "3" });
  const full: Archive = {
    ...archive("a", 4, delivered),
    after: async () => ({
      deliveries: [() => Promise.reject(retry("disk full"))],
      mark: "4",
      isLast: true,
    }),
  };
  await expect(syncArchives([full], second.cursor, ctx)).rejects.toThrow("disk full");
});

test("a domain's servers are tried by priority, one after the other; without records it is its own", async () => {
  const record = (name: string, priority: number) => ({ name, priority, weight: 1, port: 5222 });
  const lookUp = async () => [record("b", 20), record("a", 10)];
  const tried: string[] = [];
  for (let n = 0; n < 3; n += 1) tried.push((await serverOf("_x._tcp", "example.org", lookUp)).server);
  expect(tried).toEqual(["a", "b", "a"]);
  const nothing = () => Promise.reject(new Error("ENOTFOUND"));
  expect(await serverOf("_x._tcp", "example.net", nothing)).toEqual({ server: "example.net" });
});

test("whoever waits over a connection is told when it is lost, once, and why", async () => {
  const line = new Lifeline();
  const never = line.orLost(new Promise(() => undefined));
  expect(await line.orLost(Promise.resolve(1))).toBe(1);
  expect([line.lose(new Error("cut")), line.lose(new Error("again"))]).toEqual([true, false]);
  await expect(never).rejects.toThrow("cut");
  await expect(line.orLost(Promise.resolve(1))).rejects.toThrow("cut");
});
