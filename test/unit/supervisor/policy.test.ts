// When an ended connector is started again.
import { expect, test } from "vitest";
import { exitKind, RestartPolicy } from "../../../runtime/supervisor/policy.ts";
import { beat, settings } from "./samples.ts";

const policyOf = (changes = {}) => new RestartPolicy(() => settings(changes));

test("only 100 is permanent and only 111 temporary; an unasked 0 is a crash, as is a signal", () => {
  expect([100, 111, 0, 1, 137, null].map(exitKind)).toEqual([
    "permanent",
    "temporary",
    "crash",
    "crash",
    "crash",
    "crash",
  ]);
});

test("the backoff doubles with full jitter, from one second up to five minutes", () => {
  const policy = policyOf();
  for (let failure = 1; failure <= 20; failure++) {
    const verdict = policy.exited(failure * 1e6, "temporary");
    const ceiling = Math.min(300_000, 1000 * 2 ** (failure - 1));
    expect(verdict).toMatchObject({ next: "retry" });
    if (verdict.next !== "retry") return;
    expect(verdict.delayMs).toBeGreaterThanOrEqual(ceiling / 10);
    expect(verdict.delayMs).toBeLessThanOrEqual(ceiling);
  }
});

test("five crashes within a minute park it, slower ones do not", () => {
  const crashes = (everyMs: number) => {
    const policy = policyOf();
    return Array.from({ length: 8 }, (_, index) => policy.exited(index * everyMs, "crash").next);
  };
  expect(crashes(1000).slice(0, 5)).toEqual(["retry", "retry", "retry", "retry", "park"]);
  expect(crashes(20_000)).not.toContain("park");
});

test("what the connector itself calls temporary never parks it", () => {
  const policy = policyOf();
  const nexts = Array.from({ length: 20 }, (_, index) => policy.exited(index, "temporary").next);
  expect(new Set(nexts)).toEqual(new Set(["retry"]));
});

test("a parked connector gets one try, and one more crash parks it again", () => {
  const policy = policyOf({ parkForMs: 5000 });
  for (let crash = 0; crash < 4; crash++) policy.exited(crash, "crash");
  expect(policy.exited(5, "crash")).toEqual({ next: "park", delayMs: 5000 });
  policy.started();
  expect(policy.exited(100_000, "crash")).toEqual({ next: "park", delayMs: 5000 });
});

test("crashes are forgotten only after ten minutes of health and one success", () => {
  const ceilingAfter = (act: (policy: RestartPolicy) => void) => {
    const policy = policyOf({ backoffBaseMs: 1000, backoffMaxMs: 1e9 });
    for (let crash = 0; crash < 10; crash++) policy.exited(crash * 1e6, "temporary");
    policy.started();
    act(policy);
    const verdict = policy.exited(1e9, "temporary");
    return verdict.next === "retry" ? verdict.delayMs : 0;
  };
  const minutes = 60_000;
  const nothing = ceilingAfter((policy) => {
    policy.beat(0, beat());
    policy.beat(11 * minutes, beat());
  });
  const short = ceilingAfter((policy) => {
    policy.beat(0, beat());
    policy.beat(9 * minutes, beat({ sent: 1 }));
  });
  const interrupted = ceilingAfter((policy) => {
    policy.beat(0, beat());
    policy.beat(6 * minutes, beat({ state: "offline", sent: 1 }));
    policy.beat(12 * minutes, beat({ sent: 1 }));
  });
  const healthy = ceilingAfter((policy) => {
    policy.beat(0, beat());
    policy.beat(11 * minutes, beat({ last_probe_ok_at: "2026-11-20T00:00:00Z" }));
  });
  for (const remembered of [nothing, short, interrupted]) expect(remembered).toBeGreaterThan(1000);
  expect(healthy).toBeLessThanOrEqual(1000);
});
