// Who hangs, and who only looks like it.
import { expect, test } from "vitest";
import { residentBytes, Watchdog } from "../../../runtime/supervisor/watchdog.ts";
import { settings } from "./samples.ts";

/** Checks every second for `seconds`; returns after how many it was called hung. */
function watch(
  dog: Watchdog,
  fromMs: number,
  seconds: number,
  beats: (second: number) => number | undefined,
) {
  for (let second = 1; second <= seconds; second++) {
    const seq = beats(second);
    if (seq !== undefined) dog.beat(seq);
    if (dog.check(fromMs + second * 1000)) return second;
  }
  return undefined;
}

const dogAt = (nowMs: number) => new Watchdog(() => settings(), nowMs);

test("a heartbeat that goes on is never hung, whatever its numbers", () => {
  expect(watch(dogAt(0), 0, 1000, (second) => 1e9 - second)).toBeUndefined();
});

test("a heartbeat that stands still for ten seconds is hung", () => {
  expect(watch(dogAt(0), 0, 100, (second) => Math.min(second, 5))).toBe(16);
});

test("before its first beat a process has a minute", () => {
  expect(watch(dogAt(0), 0, 100, () => undefined)).toBe(61);
});

test("a supervisor that was itself suspended kills nobody for it", () => {
  const dog = dogAt(0);
  dog.beat(1);
  dog.check(1000);
  expect(dog.check(3_600_000)).toBe(false);
  expect(dog.check(3_601_000)).toBe(false);
  dog.beat(2);
  expect(dog.check(3_602_000)).toBe(false);
});

test("a slow machine, where every look comes late, does not save one that hangs", () => {
  const dog = dogAt(0);
  dog.beat(1);
  const looks = Array.from({ length: 20 }, (_, index) => dog.check((index + 1) * 5000));
  expect(looks).toContain(true);
});

test.runIf(process.platform === "linux")("memory is what the kernel counts", () => {
  const bytes = residentBytes(process.pid) ?? 0;
  expect(bytes / process.memoryUsage.rss()).toBeGreaterThan(0.8);
  expect(bytes / process.memoryUsage.rss()).toBeLessThan(1.25);
  expect(residentBytes(2 ** 30)).toBeUndefined();
});
