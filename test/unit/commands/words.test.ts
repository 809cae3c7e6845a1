// What people write, what they are shown, and whether a bus is alive: the pure parts of the commands.
import { spawnSync } from "node:child_process";
import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { stateOf } from "../../../runtime/commands/bus.ts";
import { secondsToMs, toCount, toTime } from "../../../runtime/commands/flags.ts";
import { advise } from "../../../runtime/commands/status/advice.ts";
import type { ConnectorReport } from "../../../runtime/commands/status/report.ts";
import { line } from "../../../runtime/commands/tail/show.ts";
import { ago, clip, clock, oneLine, span } from "../../../runtime/commands/text.ts";
import type { InboundEvent, SupervisorStatus } from "../../../schema/types.ts";

const now = Date.parse("2026-11-20T12:00:00Z");

describe("times on the command line", () => {
  test("are distances to the past or to the future, or ISO 8601", () => {
    expect(toTime("10m", "--since", -1, now)).toBe(now - 600_000);
    expect(toTime("10m", "--expires", 1, now)).toBe(now + 600_000);
    expect(toTime("+1.5h", "--not-before", 1, now)).toBe(now + 5_400_000);
    expect(toTime("2026-11-20T11:00:00Z", "--since", -1, now)).toBe(now - 3_600_000);
  });

  test.each(["", "yesterday", "10", "+10m", "-5m", "2026-13-45", "12"])("%j is a usage error", (text) => {
    expect(() => toTime(text, "--since", -1, now)).toThrow(expect.objectContaining({ code: "usage" }));
  });

  test("numbers are numbers", () => {
    expect(secondsToMs("0.5", "--wait")).toBe(500);
    expect(toCount("-3", "--priority", -Infinity)).toBe(-3);
    for (const wrong of ["x", "1e9", "-1", "", "1.5"])
      expect(() => toCount(wrong, "--lines")).toThrow(/--lines/);
    for (const wrong of ["x", "-1", "", undefined])
      expect(() => secondsToMs(wrong, "--wait")).toThrow(/--wait/);
  });
});

describe("words for people", () => {
  test("say how long ago", () => {
    expect(ago("2026-11-20T11:59:57Z", now)).toBe("3 s ago");
    expect(ago(undefined, now)).toBe("–");
    expect(ago("2026-11-20T12:00:05Z", now)).toBe("0 s ago");
    expect([61_000, 3_600_000, 47 * 3_600_000, 72 * 3_600_000].map(span)).toEqual([
      "1 min",
      "1 h",
      "47 h",
      "3 d",
    ]);
  });

  test("show the date only where it is not today's", () => {
    const today = new Date(2026, 10, 20, 12, 0, 0);
    expect(clock(new Date(2026, 10, 20, 9, 5, 7).toISOString(), today)).toBe("09:05:07");
    expect(clock(new Date(2026, 10, 19, 9, 5, 7).toISOString(), today)).toBe("2026-11-19 09:05:07");
  });

  test("cannot control the terminal", () => {
    expect(oneLine("a\x1b[31mb\r\nc\u202ed\u0007")).toBe("a\\x1b[31mb ⏎ c\\u202ed\\x07");
    expect(clip("äöü€𝄞x", 5)).toBe("äöü€…");
  });
});

describe("a bus", () => {
  const status: SupervisorStatus = {
    version: 1,
    pid: process.pid,
    host: hostname(),
    started_at: "2026-11-20T11:00:00Z",
    seq: 1,
    beat_at: "2026-11-20T11:59:59Z",
    state: "running",
    connectors: [],
  };

  test("runs when its process is there and its status is fresh", () => {
    expect(stateOf(status, now)).toBe("running");
    expect(stateOf({ ...status, state: "stopping" }, now)).toBe("stopping");
    expect(stateOf(undefined, now)).toBe("none");
  });

  test("is gone when its process is, however fresh its last status", () => {
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    expect(stateOf({ ...status, pid: dead }, now)).toBe("gone");
  });

  test("is stale when its status is old, also where the process cannot be asked", () => {
    const old = "2026-11-20T11:59:40Z";
    expect(stateOf({ ...status, beat_at: old }, now)).toBe("stale");
    expect(stateOf({ ...status, host: "elsewhere", pid: 1, beat_at: old }, now)).toBe("stale");
    expect(stateOf({ ...status, host: "elsewhere", pid: 999_999_999 }, now)).toBe("running");
    expect(stateOf({ ...status, beat_at: "2026-11-20T13:00:00Z" }, now)).toBe("stale");
  });
});

describe("an event in tail", () => {
  const event: InboundEvent = {
    version: 1,
    id: "x",
    kind: "message",
    received_at: new Date(2026, 10, 20, 12, 3, 1).toISOString(),
    connector: { type: "irc", instance: "irc-main" },
    sender: { id: "u1", username: "ada" },
    conversation: { id: "C1", name: "#dev" },
    content: { text: "hello" },
  };
  const show = (changes: Partial<InboundEvent>) =>
    line({ ...event, ...changes }, (_style, text) => text, new Date(2026, 10, 20, 13, 0, 0));

  test("is one line with time, connector, conversation, sender and text", () => {
    expect(show({})).toBe("12:03:01 irc-main #dev ada: hello");
    expect(show({ content: { text: "a\nb\x1b[0m" } })).toBe("12:03:01 irc-main #dev ada: a ⏎ b\\x1b[0m");
  });

  test("says what is no message, and what is attached", () => {
    const reaction = {
      kind: "reaction",
      content: { reaction: "👍" },
      target: { platform_id: "m1" },
    } as const;
    expect(show(reaction)).toBe("12:03:01 irc-main #dev ada: [reaction 👍 m1]");
    const attachments = [{ name: "a.pdf", size: 12 }, { name: "b" }];
    expect(show({ content: { subject: "S", text: "t", attachments } })).toBe(
      "12:03:01 irc-main #dev ada: [S] t [file a.pdf, 12 bytes] [file b]",
    );
  });
});

describe("what to do", () => {
  const base: ConnectorReport = {
    name: "one",
    type: "irc",
    state: "live",
    liveness: "live",
    waiting: 0,
    in_flight: 0,
    retrying: 0,
    failed: 0,
  };
  const about = (change: Partial<ConnectorReport>) =>
    advise({
      bus: { state: "running" },
      connectors: [{ ...base, ...change }],
      orphan_outboxes: [],
      config_errors: [],
    });

  test("is nothing where all is well", () => {
    expect(about({})).toEqual([]);
    expect(about({ state: "disabled" })).toEqual([]);
  });

  test("names the command", () => {
    expect(about({ state: "paused" })).toEqual(["one: paused. Go on with: spoolway resume one"]);
    expect(about({ failed: 3 })).toEqual(["one: 3 messages could not be sent: spoolway failed list one"]);
    const parked = about({
      state: "parked",
      error: { code: "crashed", message: "exit code 1" },
      next_start_at: "2026-11-20T12:15:00Z",
    });
    expect(parked).toEqual([
      "one: crashed too often. exit code 1 Tried again at 2026-11-20T12:15:00Z, or now: spoolway restart one",
    ]);
  });
});
