// XMPP's stream management: what the server is told that we have, and when.
import { describe, expect, test } from "vitest";
import { ScriptedStream, parse } from "./session.ts";

const h = (one: string | undefined): number => Number(/ h="(\d+)"/.exec(one ?? "")?.[1]);

/** Stream management over a connection; what it tells the server. */
function begin(isResumed = false): ScriptedStream {
  const stream = new ScriptedStream();
  if (isResumed) expect(stream.acks.resume()).toBe(true);
  else {
    stream.acks.enable();
    stream.acks.follow(parse("<enabled id='1'/>"), "bot@example.org/x");
  }
  return stream;
}

describe("stream management", () => {
  test("answers at once how far we are, and again when the rest is durable: a server gives up on who is silent", () => {
    const { acks, told } = begin();
    const done = [acks.take(), acks.take()];
    done[0]?.();
    acks.follow(parse("<r/>"), "");
    expect(h(told.at(-1))).toBe(1);
    done[1]?.();
    expect(h(told.at(-1))).toBe(2);
    const before = told.length;
    acks.follow(parse("<r/>"), "");
    expect(told.slice(before).map(h)).toEqual([2]);
  });

  test("goes on from what the server was told when it was asked for the stream: what became durable after that comes again, and counts again", () => {
    const first = begin();
    const done = [first.acks.take(), first.acks.take()];
    done[0]?.();
    const second = begin(true);
    expect(h(second.told.at(-1))).toBe(1);
    done[1]?.(); // late, in the old session
    expect(second.acks.follow(parse("<resumed h='0'/>"), "")).toMatchObject({ begun: "bot@example.org/x" });
    const again = second.acks.take();
    second.acks.follow(parse("<r/>"), "");
    expect(h(second.told.at(-1))).toBe(1);
    again();
    expect(h(second.told.at(-1))).toBe(2);
  });

  test("says at the end what we have, and nothing where it never began; there is nothing to resume then", () => {
    const { acks, told } = begin();
    acks.take()();
    acks.end();
    expect(h(told.at(-1))).toBe(1);
    const other = new ScriptedStream();
    other.acks.end();
    expect(other.told).toEqual([]);
    expect(other.acks.resume()).toBe(false);
  });
});
