// Names: what they are made of is what they are read back as, and they sort by time.
import { expect, test } from "vitest";
import {
  claimName,
  dropId,
  eventId,
  formatTime,
  inboxName,
  isDropName,
  isId,
  parseClaimName,
  parseInboxName,
  parseRetryName,
  parseTime,
  retryName,
  timeName,
} from "../../../runtime/spool/names.ts";

test("the same key has the same id, for one connector only", () => {
  expect(eventId("irc", ["#dev", "1"])).toBe(eventId("irc", ["#dev", "1"]));
  expect(eventId("irc", ["#dev", "1"])).not.toBe(eventId("irc2", ["#dev", "1"]));
  expect(eventId("irc", ["a", "b"])).not.toBe(eventId("irc", ["a,b"]));
  expect(eventId("irc", undefined)).not.toBe(eventId("irc", undefined));
  expect(isId(eventId("irc", ["x"]))).toBe(true);
  expect(eventId("irc", ["x"])).toMatch(/^[a-z2-7]{26}$/);
});

test("a drop's id is made of its name, time and bytes", () => {
  const id = dropId("c", "1.json", 5n, Buffer.from("x"));
  expect(dropId("c", "1.json", 5n, Buffer.from("x"))).toBe(id);
  for (const other of [
    dropId("d", "1.json", 5n, Buffer.from("x")),
    dropId("c", "2.json", 5n, Buffer.from("x")),
    dropId("c", "1.json", 6n, Buffer.from("x")),
    dropId("c", "1.json", 5n, Buffer.from("y")),
  ]) {
    expect(other).not.toBe(id);
  }
});

test("times in one process never repeat and sort as text", () => {
  const names = Array.from({ length: 5000 }, () => timeName());
  expect(new Set(names).size).toBe(names.length);
  expect([...names].sort()).toEqual(names);
  expect(Math.abs((parseTime(names[0] ?? "") ?? 0) - Date.now())).toBeLessThan(1000);
  expect(formatTime(1_763_682_721_123_456n)).toBe("20251120T235201.123456Z");
});

test("names are read back", () => {
  expect(parseClaimName(claimName("a~b-c".replace("~", "."), 12))).toEqual({ id: "a.b-c", attempt: 12 });
  expect(parseRetryName(retryName(1_763_682_721_000, "x-1~2".replace("~", "_"), 3))).toEqual({
    id: "x-1_2",
    attempt: 3,
    dueMs: 1_763_682_721_000,
  });
  expect(parseInboxName(inboxName("abc"))?.id).toBe("abc");
  for (const stranger of ["x.json", "readme", "~1.json", "a~b.json", ".hidden"]) {
    expect(parseClaimName(stranger)).toBeUndefined();
    expect(parseRetryName(stranger)).toBeUndefined();
  }
});

test("which names are drops", () => {
  expect(["1.json", "-x.json", "a b.json", "a~1.json"].every(isDropName)).toBe(true);
  expect([".1.json", "1.json.tmp", "1.json~", "report.pdf", "json"].some(isDropName)).toBe(false);
});
