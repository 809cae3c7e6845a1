// Marks on a platform whose ids are times: what came after them, of each channel that has something newer, page by page; and where something was said.
import { expect, test } from "vitest";
import { reconnect, reject } from "../../../runtime/sdk.ts";
import { Places } from "../../../runtime/sdk/places.ts";
import { type Channel, type Marks, missedIn, moveMark, snowflake } from "../../../runtime/sdk/snowflakes.ts";
import { TestContext } from "../../helpers/context.ts";

/** The id of a moment, in minutes. */
const at = (minutes: number, n = 0): string => String((BigInt(minutes * 60_000) << 22n) + BigInt(n));
const { log } = new TestContext("snow", "/", {});

/** A platform that gives out two at a time, newest first. */
function platform(messages: Record<string, string[]>) {
  const asked: string[] = [];
  const read = async (channel: string, after: string) => {
    asked.push(channel);
    const all = messages[channel];
    if (all === undefined) throw reject("Missing Access");
    const later = all.filter((id) => BigInt(id) > BigInt(after));
    return later
      .slice(0, 2)
      .map((id) => ({ id }))
      .toReversed();
  };
  return { read, asked };
}

async function missed(
  marks: Marks,
  channels: Channel[],
  read: ReturnType<typeof platform>["read"],
): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of missedIn(marks, "server", channels, read, log)) ids.push(id);
  return ids;
}

test("a place that is new begins now: nothing is read", async () => {
  const marks: Marks = {};
  const { read, asked } = platform({ a: [at(1)] });
  expect(
    await missed(
      marks,
      [
        { id: "a", last_message_id: at(1) },
        { id: "b", last_message_id: null },
      ],
      read,
    ),
  ).toEqual([]);
  expect(asked).toEqual([]);
  expect(marks).toEqual({ server: at(1) });
});

test("a place where nothing was said yet is known: the first words there are read", async () => {
  const marks: Marks = {};
  expect(await missed(marks, [{ id: "a", last_message_id: null }], platform({}).read)).toEqual([]);
  expect(marks).toEqual({ server: "0" });
  const { read } = platform({ a: [at(1), at(2), at(3)] });
  expect(await missed(marks, [{ id: "a", last_message_id: at(3) }], read)).toEqual([at(1), at(2), at(3)]);
  expect(marks).toEqual({ server: at(3) });
});

test("of each channel with something newer all of it comes, oldest first, and the mark moves to the newest", async () => {
  const marks: Marks = { server: at(10) };
  const a = [at(11), at(12), at(13), at(14), at(15)];
  const { read, asked } = platform({ old: [at(1)], a, direct: [at(13, 1)] });
  const channels = [
    { id: "old", last_message_id: at(1) },
    { id: "none", last_message_id: null },
    { id: "hidden", last_message_id: at(20) },
    { id: "a", last_message_id: at(15) },
    { id: "direct" },
  ];
  expect(await missed(marks, channels, read)).toEqual([...a, at(13, 1)]);
  expect(new Set(asked)).toEqual(new Set(["hidden", "a", "direct"]));
  expect(marks).toEqual({ server: at(20) });
});

test("what overtook the mark by less than a minute is not missed; the mark never moves back", async () => {
  const marks: Marks = { server: at(10, 5) };
  const { read } = platform({ a: [at(9.5)] });
  expect(await missed(marks, [{ id: "a", last_message_id: at(9.5) }], read)).toEqual([at(9.5)]);
  expect(marks).toEqual({ server: at(10, 5) });
  moveMark(marks, "server", at(9));
  moveMark(marks, "other", at(3));
  expect(marks).toEqual({ server: at(10, 5), other: at(3) });
});

test("a failure that is no refusal is thrown, and the mark stays", async () => {
  const marks: Marks = { server: at(10) };
  const read = () => Promise.reject(reconnect("gone"));
  await expect(missed(marks, [{ id: "a", last_message_id: at(12) }], read)).rejects.toThrow("gone");
  expect(marks).toEqual({ server: at(10) });
});

test("an id is an id, and nothing that leads elsewhere", () => {
  expect(snowflake("1162000000000000001", "conversation_id")).toBe("1162000000000000001");
  for (const text of ["1162000000000000001/messages", "../users/@me", "", "12", undefined])
    expect(() => snowflake(text, "thread_id")).toThrow(/thread_id .* is not an id/);
});

test("a thread is a part of its channel; each channel is asked for once, until it changes; what is refused is a channel", async () => {
  const asked: string[] = [];
  const places = new Places(async (id) => {
    asked.push(id);
    if (id === "hidden") throw reject("Missing Access");
    if (id === "lost") throw reconnect("no network");
    return id === "thread" ? { type: "channel", name: "talk", parent: "dev" } : { type: "channel", name: id };
  }, log);
  const dev = { conversation: { id: "dev", type: "channel", name: "dev" } };
  expect(await places.of("thread")).toEqual({ ...dev, thread_id: "thread" });
  expect(await places.of("dev")).toEqual(dev);
  expect(await places.of("hidden")).toEqual({
    conversation: { id: "hidden", type: "channel", name: undefined },
  });
  await expect(places.of("lost")).rejects.toThrow("no network");
  expect(asked).toEqual(["thread", "dev", "hidden", "lost"]);
  places.changed("dev");
  await places.of("thread");
  expect(asked.at(-1)).toBe("dev");
});
