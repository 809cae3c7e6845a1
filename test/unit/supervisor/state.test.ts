// The state table of a connector: every road through it that a person can see, and that none of them is a dead end.
import { describe, expect, test } from "vitest";
import {
  type Effect,
  type Event,
  publicState,
  type State,
  stateTable,
  transition,
} from "../../../runtime/supervisor/state.ts";

/** Feeds events in from `new`; returns the last state and all effects. */
function walk(...events: Event[]): { state: State; effects: Effect[] } {
  let state: State = "new";
  const effects: Effect[] = [];
  for (const event of events) {
    const next = transition(state, event);
    state = next.state;
    effects.push(...next.effects);
  }
  return { state, effects };
}

const live: Event[] = ["config_changed", "spawned", "beat:starting", "beat:live"];

describe("a connector's life", () => {
  test("starts, goes live, loses its platform and comes back without a restart", () => {
    expect(walk(...live, "beat:offline", "beat:failing", "beat:live")).toEqual({
      state: "live",
      effects: ["spawn"],
    });
  });

  test("after a crash it waits, and starts again when the time has come", () => {
    expect(walk(...live, "exited:retry").state).toBe("backoff");
    expect(walk(...live, "exited:retry", "timer_due").effects).toEqual(["spawn", "arm", "spawn"]);
  });

  test("parked is not the end: it is tried again", () => {
    expect(walk(...live, "exited:park").state).toBe("parked");
    expect(walk(...live, "exited:park", "timer_due").state).toBe("queued");
  });

  test("exit 100 stays stopped, until its configuration changes or a person asks", () => {
    const stopped = [...live, "exited:permanent"] as const;
    expect(walk(...stopped, "timer_due", "resumed").state).toBe("stopped");
    expect(walk(...stopped, "config_changed").state).toBe("queued");
    expect(walk(...stopped, "restart_requested").state).toBe("queued");
  });

  test("a hung process is killed and counts as crashed", () => {
    expect(walk(...live, "hung")).toEqual({ state: "stopping>backoff", effects: ["spawn", "kill"] });
    expect(walk(...live, "hung", "exited:retry").state).toBe("backoff");
  });

  test("a process that hangs while it is asked to end is killed, and ends where it was going", () => {
    expect(walk(...live, "paused", "hung", "exited:retry")).toEqual({
      state: "paused",
      effects: ["spawn", "stop", "kill"],
    });
  });

  test("a pause survives a restart request, and a new configuration", () => {
    const paused = [...live, "paused", "exited:retry"] as const;
    expect(walk(...paused, "restart_requested").state).toBe("paused");
    expect(walk(...paused, "config_changed").state).toBe("paused");
    expect(walk(...paused, "resumed").state).toBe("queued");
  });

  test("paused before it was started, it is never started", () => {
    expect(walk("config_changed", "paused").state).toBe("paused");
    expect(transition("paused", "spawned").state).toBe("paused");
  });

  test("resumed while it still stops for the pause, it starts again", () => {
    expect(walk(...live, "paused", "resumed", "exited:retry").state).toBe("queued");
  });

  test("an edit that breaks the entry leaves the running process alone, and makes a stopped one invalid", () => {
    expect(walk(...live, "config_invalid")).toEqual(walk(...live));
    expect(walk(...live, "exited:permanent", "config_invalid").state).toBe("invalid");
    expect(walk("config_invalid").state).toBe("invalid");
    expect(walk("config_invalid", "config_changed").state).toBe("queued");
  });

  test("removed and put back before the old process has ended, it starts anew", () => {
    expect(walk(...live, "removed", "config_changed", "exited:retry").state).toBe("queued");
  });

  test("a person's act forgives earlier crashes", () => {
    expect(walk(...live, "exited:park", "restart_requested").effects).toContain("forgive");
    expect(walk(...live, "exited:park", "timer_due").effects).not.toContain("forgive");
  });
});

describe("the table", () => {
  const states = Object.keys(stateTable) as State[];

  test("has a way to the end from everywhere, so that a shutdown ends", () => {
    for (const from of states.filter((state) => state !== "gone")) {
      const removed = transition(from, "removed").state;
      const end =
        removed === "gone"
          ? removed
          : transition(from === "stopping>gone" ? from : removed, "exited:retry").state;
      expect(end, from).toBe("gone");
    }
  });

  test("never has a timer left where nobody waits for it", () => {
    for (const from of ["backoff", "parked"] as const) {
      for (const [event, cell] of Object.entries(stateTable[from])) {
        const [, ...effects] = cell;
        if (event !== "timer_due") expect(effects, `${from} ${event}`).toContain("disarm");
      }
    }
  });

  test("starts a process only on the way to queued, and leaves queued only to a process or to rest", () => {
    for (const from of states) {
      for (const cell of Object.values(stateTable[from])) {
        const [to, ...effects] = cell;
        expect(effects.includes("spawn")).toBe(to === "queued");
      }
    }
  });

  test("shows only the states of the protocol", () => {
    const shown = new Set(states.map(publicState));
    expect([...shown].sort()).toEqual([
      "backoff",
      "disabled",
      "failing",
      "invalid",
      "live",
      "offline",
      "parked",
      "paused",
      "starting",
      "stopped",
      "stopping",
    ]);
  });
});
