// Several places that one connector reads: what the failure of one means, and of all.
import { describe, expect, test } from "vitest";
import { type Logger, reconnect, reject, retry, type SpoolwayError, stop } from "../../../runtime/sdk.ts";
import { Sources } from "../../../runtime/sdk/sources.ts";

function sourcesOf(names: string[]): { sources: Sources; logged: string[] } {
  const logged: string[] = [];
  const log = (event: string, fields?: Record<string, unknown>): void =>
    void logged.push(`${event} ${String(fields?.source)}`);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  return { sources: new Sources(names, logger), logged };
}

type Problems = Record<string, SpoolwayError | undefined>;
const visit = (problems: Problems) => (name: string) => Promise.resolve(problems[name]);

describe("Sources", () => {
  test("one that fails is logged once, and when it is back", async () => {
    const { sources, logged } = sourcesOf(["a", "b"]);
    for (const b of [reject("404"), reject("404"), undefined]) await sources.each(visit({ b }));
    expect(logged).toEqual(["source.failed b", "source.recovered b"]);
  });

  test.each<[string, SpoolwayError, SpoolwayError, string]>([
    ["all away: offline", reconnect("gone"), reconnect("gone"), "reconnect"],
    ["no login anywhere: a person has to act", stop("401", "log in"), stop("401"), "stop"],
    ["each in its way: tried again", reconnect("gone"), reject("404"), "retry"],
  ])("%s", async (_, a, b, fate) => {
    const { sources } = sourcesOf(["a", "b"]);
    await expect(sources.each(visit({ a, b }))).rejects.toMatchObject({ fate });
  });

  test("one that asks to wait is left alone until then", async () => {
    const { sources } = sourcesOf(["a", "b"]);
    let visits = 0;
    for (let n = 0; n < 3; n++)
      await sources.each((name) => {
        if (name === "b") return Promise.resolve(undefined);
        visits += 1;
        return Promise.resolve(retry("busy", { retryAfterMs: 60_000 }));
      });
    expect(visits).toBe(1);
  });

  test("knocking: one that answers is enough, also with a refusal; an unwritten event is not the place's fault", async () => {
    const { sources } = sourcesOf(["a", "b"]);
    await sources.knock(visit({ a: reconnect("gone"), b: reject("404") }));
    await expect(sources.knock(visit({ a: reconnect("gone"), b: stop("401") }))).rejects.toMatchObject({
      fate: "retry",
    });
    await expect(sources.each(() => Promise.reject(new Error("disk full")))).rejects.toThrow("disk full");
  });
});
