// FencedLink: a message's fate where the other side confirms nothing; Pacer: no more at once than it bears.
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { stop } from "../../../../runtime/sdk.ts";
import { FencedLink, type Listener } from "../../../../runtime/sdk/socket/fence.ts";
import { Pacer } from "../../../../runtime/sdk/socket/pacer.ts";
import { waitFor } from "../../../helpers/wait.ts";

const fast = { burst: 1000, per_second: 1000 };

/** A link whose other side says `reply(line)` to each line, a moment later; undefined: nothing. */
function linkTo(reply: (line: string) => string | undefined, pace = fast) {
  const written: string[] = [];
  const fence = {
    question: (token: string) => `PING ${token}`,
    isAnswer: (message: string, token: string) => message === `PONG ${token}`,
  };
  const link = new FencedLink<string>("the other side", pace, fence, (line) => {
    written.push(line);
    setImmediate(() => {
      const message = reply(line);
      if (message !== undefined) link.hear(message);
    });
  });
  return { link, written, said: () => written.filter((line) => !line.startsWith("PING")) };
}

const pong = (line: string): string | undefined =>
  line.startsWith("PING ") ? line.replace("PING", "PONG") : undefined;
const complain: Listener<string> = (message) => {
  if (message.startsWith("no: ")) throw new Error(message);
  return false;
};

describe("an exchange", () => {
  test("resolves when the other side has worked off what was said, and not before", async () => {
    const { link, written } = linkTo(() => undefined);
    let isDone = false;
    const exchange = link.exchange(["a", "b"]).then(() => (isDone = true));
    await waitFor(() => written.length === 3);
    link.hear("PONG of somebody else");
    await delay(20);
    expect(isDone).toBe(false);
    expect(written.slice(0, 2)).toEqual(["a", "b"]);
    link.hear(written[2]?.replace("PING", "PONG") ?? "");
    await exchange;
  });

  test("rejects with the first complaint, but only when everything was worked off", async () => {
    const heard: string[] = [];
    const { link } = linkTo((line) => {
      heard.push(line);
      return pong(line) ?? `no: ${line}`;
    });
    await expect(link.exchange(["a", "b"], { take: complain })).rejects.toThrow("no: a");
    expect(heard).toEqual(["a", "b", expect.stringContaining("PING")]);
    await link.exchange(); // and hears no complaint about what was said before
  });

  test("has a fence behind each window, and says no more after a complaint", async () => {
    const { link, written, said } = linkTo((line) => pong(line) ?? (line === "4" ? "no: 4" : undefined));
    await link.exchange(["1", "2", "3"], { take: complain, window: 2 });
    expect(written.map((line) => line.slice(0, 4))).toEqual(["1", "2", "PING", "3", "PING"]);
    await expect(link.exchange(["4", "5", "6"], { take: complain, window: 2 })).rejects.toThrow("no: 4");
    expect(said()).toEqual(["1", "2", "3", "4", "5"]);
  });

  test("is offered what comes meanwhile; only what it takes is kept from others", async () => {
    const { link, written } = linkTo(() => undefined);
    const exchange = link.exchange(["a"], { take: (message) => message === "mine" });
    await waitFor(() => written.length === 2);
    expect([link.hear("mine"), link.hear("for all")]).toEqual([true, false]);
    link.hear(written[1]?.replace("PING", "PONG") ?? "");
    await exchange;
    expect(link.hear("mine")).toBe(false);
  });

  test("is a reconnect when the link is lost before the first line", async () => {
    const { link, written } = linkTo(pong);
    link.lose(new Error("gone"));
    await expect(link.exchange(["a"])).rejects.toMatchObject({ fate: "reconnect", message: "gone" });
    expect(written).toEqual([]);
  });

  test.each([
    ["within the first window", 1, 4],
    ["between two windows, when all that was said is confirmed", 2, 2],
  ])("is uncertain when it is lost %s: a part of it was said", async (_when, lines, window) => {
    const { link, said } = linkTo((line) => {
      if (line === `${lines}` || line === "3") link.lose(new Error("gone"));
      return pong(line);
    });
    const all = ["1", "2", "3"].slice(0, lines + 1);
    await expect(link.exchange(all, { window })).rejects.toMatchObject({ fate: "uncertain" });
    expect(said()).not.toHaveLength(0);
  });

  test("is uncertain when nothing comes back; a mere question is a reconnect", async () => {
    const { link } = linkTo(() => undefined);
    const silent = /the other side did not answer within 0.05 s/;
    await expect(link.exchange(["a"], { timeoutMs: 50 })).rejects.toMatchObject({
      fate: "uncertain",
      message: expect.stringMatching(silent),
    });
    await expect(link.exchange([], { timeoutMs: 50 })).rejects.toMatchObject({ fate: "reconnect" });
  });

  test("keeps the pace", async () => {
    const { link } = linkTo(pong, { burst: 1, per_second: 5 });
    const started = performance.now();
    await link.exchange(["1"]); // two lines with its question, of which one goes at once
    expect(performance.now() - started).toBeGreaterThan(190);
  });

  test("that is urgent does not wait for its turn", async () => {
    const { link } = linkTo(pong, { burst: 1, per_second: 0.001 });
    const waiting = link.exchange(["1", "2"]).catch((error: unknown) => error);
    await link.exchange([], { urgent: true });
    link.lose(new Error("enough"));
    expect(await waiting).toMatchObject({ fate: "uncertain" });
  });
});

describe("a link", () => {
  test("waits for a message, and rejects with what the look at one throws, or with why it was lost", async () => {
    const { link } = linkTo(pong);
    const welcome = link.until((message) => message === "001", 10_000);
    link.hear("000");
    link.hear("001");
    await welcome;
    const looking = link.until(() => {
      throw stop("banned");
    }, 10_000);
    link.hear("465");
    await expect(looking).rejects.toMatchObject({ fate: "stop" });
    const lost = link.until(() => false, 10_000);
    link.lose(stop("gone for good"));
    await expect(lost).rejects.toMatchObject({ fate: "stop" });
    await expect(link.until(() => true, 10_000)).rejects.toMatchObject({ fate: "stop" });
  });

  test("is lost once, and with its session", async () => {
    const { link } = linkTo(pong);
    const session = new AbortController();
    link.endWith(session.signal);
    let calls = 0;
    const repeating = link.repeat(1, async () => void (calls += 1));
    await waitFor(() => calls > 2);
    session.abort();
    await expect(repeating).rejects.toMatchObject({ fate: "reconnect", message: "the session is over" });
    link.lose(new Error("later"));
    expect(link.lost.reason).toMatchObject({ message: "the session is over" });
  });
});

describe("a pacer", () => {
  test("lets a burst through, then so many a second, in the order of the calls", async () => {
    const pacer = new Pacer({ burst: 3, per_second: 20 });
    const { signal } = new AbortController();
    const started = performance.now();
    const turns: Array<[number, number]> = [];
    await Promise.all(
      [0, 1, 2, 3, 4].map(async (n) => {
        await pacer.turn(signal);
        turns.push([n, performance.now() - started]);
      }),
    );
    expect(turns.map(([n]) => n)).toEqual([0, 1, 2, 3, 4]);
    expect(turns[2]?.[1]).toBeLessThan(45);
    expect(turns[3]?.[1]).toBeGreaterThan(40);
    expect(turns[4]?.[1]).toBeGreaterThan(85);
  });

  test("does not save up more than a burst", async () => {
    const pacer = new Pacer({ burst: 1, per_second: 20 });
    const { signal } = new AbortController();
    await delay(200);
    const started = performance.now();
    await pacer.turn(signal);
    await pacer.turn(signal);
    expect(performance.now() - started).toBeGreaterThan(40);
  });

  test("lets everybody through when the signal aborts", async () => {
    const pacer = new Pacer({ burst: 1, per_second: 0.001 });
    const over = new AbortController();
    const turns = Promise.all([1, 2, 3].map(() => pacer.turn(over.signal)));
    over.abort();
    await turns;
  });
});
