// What only Discord has about messages: buckets, mentions, direct conversations, what it refuses. On a Discord of our own (test/helpers/servers/discord.ts).
import { describe, expect, test } from "vitest";
import { devId, name, openDiscord as open, opsId, say, seen, texts } from "../helpers/servers/discordBus.ts";
import { waitFor } from "../helpers/wait.ts";

describe("messages", { timeout: 120_000 }, () => {
  test("a channel whose bucket is full waits, and the others go on", async () => {
    const { discord, bus } = await open();
    discord.limit = { count: 2, windowMs: 4000 };
    const slow = [0, 1, 2].map((n) => {
      bus.drop(name, { id: `slow-${n}`, conversation_id: devId, text: `slow ${n}` }, `${n}.json`);
      return `slow-${n}`;
    });
    await waitFor(() => seen(discord, devId).length === 2);
    const quick = bus.send(name, { conversation_id: opsId, text: "quick" });
    await bus.waitForReceipt(name, quick);
    expect(seen(discord, devId)).toEqual(["slow 0", "slow 1"]);
    for (const id of slow)
      expect((await bus.waitForReceipt(name, id, { timeoutMs: 30_000 })).attempts).toBe(1);
    expect(seen(discord, devId)).toEqual(["slow 0", "slow 1", "slow 2"]);
    expect(discord.early).toBe(0);
  });

  test("what was dropped makes no event, mentions only whom it may, and twelve files go in two messages", async () => {
    const { discord, bus } = await open();
    const attachments = Array.from({ length: 12 }, (_, n) => ({ path: `f${n}.txt`, name: `ü${n}.txt` }));
    for (const { path } of attachments) bus.drop(name, new TextEncoder().encode(path), path);
    const id = bus.send(name, { conversation_id: devId, subject: "Look", text: "@everyone", attachments });
    const { platform_ids: ids } = await bus.waitForReceipt(name, id, { timeoutMs: 30_000 });
    expect(ids).toHaveLength(2);
    expect(seen(discord, devId)).toEqual(["Look\n@everyone", ""]);
    const [first] = discord.world.messages.get(devId) ?? [];
    expect(first).toMatchObject({ allowed: { parse: ["users"] }, attachments: { length: 10 } });
    expect([...discord.world.files.values()].map((file) => file.name)).toEqual(
      attachments.map((file) => file.name),
    );
    say(discord, devId, "and now?");
    await bus.waitForEvent("and now?");
    expect(texts(bus)).toEqual(["and now?"]);
  });

  test("what another bot says arrives, whatever nonce it chose", async () => {
    const { discord, bus } = await open();
    const bot = { ...discord.world.user("other"), bot: true };
    discord.world.add(devId, bot, "by another Spoolway", { nonce: "swVYq0mF3aT-9xZ1kLbN2cR7d" });
    const { sender } = await bus.waitForEvent("by another Spoolway");
    expect(sender).toMatchObject({ username: "other", is_bot: true, is_self: false });
  });

  test("a person is written to by their id, and answers in the same conversation", async () => {
    const { discord, bus } = await open();
    const ada = discord.world.user("ada");
    await bus.waitForReceipt(name, bus.send(name, { conversation_id: `user:${ada.id}`, text: "hello you" }));
    const direct = [...discord.world.channels.values()].find((channel) => channel.recipient_id === ada.id);
    expect(seen(discord, direct?.id ?? "")).toEqual(["hello you"]);
    discord.world.add(direct?.id ?? "", ada, "hello bot");
    const event = await bus.waitForEvent("hello bot");
    expect(event).toMatchObject({
      conversation: { id: direct?.id, type: "direct" },
      sender: { display_name: "ADA" },
    });
  });

  test.for([
    [
      { conversation_id: `${devId}/messages`, text: "x" },
      "invalid_target",
      /conversation_id .* is not an id/,
    ],
    [
      { conversation_id: devId, thread_id: "../users/@me", text: "x" },
      "invalid_target",
      /thread_id .* is not an id/,
    ],
    [
      {
        conversation_id: devId,
        action: "react",
        target: { platform_id: "1162000000000000099" },
        reaction: "👍",
      },
      "rejected",
      /Unknown Message/,
    ],
    [
      {
        conversation_id: devId,
        action: "edit",
        text: "long ".repeat(500),
        target: { platform_id: "theirs" },
      },
      "rejected",
      /Cannot edit a message/,
    ],
    [
      { conversation_id: devId, action: "delete", target: { platform_id: "theirs" } },
      "rejected",
      /Missing Permissions/,
    ],
    [{ conversation_id: devId, text: " " }, "invalid_message", /no text/],
  ] as const)("%o is refused as %s", async ([drop, code, error]) => {
    const { discord, bus } = await open();
    const { id: theirs } = say(discord, devId, "theirs");
    const target =
      "target" in drop && drop.target.platform_id === "theirs" ? { target: { platform_id: theirs } } : {};
    const dead = await bus.waitForDeadLetter(name, bus.send(name, { ...drop, ...target }));
    expect(dead.code).toBe(code);
    expect(dead.error).toMatch(error);
    expect(dead.hint ?? "").not.toBe("");
  });

  test("a file that Discord does not give out any more leaves the event without it", async () => {
    const { discord, bus } = await open();
    discord.cdnStatus = 404;
    const file = { name: "gone.txt", bytes: new Uint8Array(5), mediaType: "text/plain" };
    discord.world.add(devId, discord.world.user("ada"), "with a file", {}, [file]);
    const event = await bus.waitForEvent("with a file");
    expect(event.content?.attachments).toEqual([
      expect.objectContaining({ name: "gone.txt", omitted: "unavailable" }),
    ]);
  });

  test("a file that does not come now comes later: the event waits for it", async () => {
    const { discord, bus } = await open();
    discord.cdnStatus = 503;
    const file = { name: "late.txt", bytes: new Uint8Array(5), mediaType: "text/plain" };
    discord.world.add(devId, discord.world.user("ada"), "with a file", {}, [file]);
    const event = await bus.waitForEvent("with a file", { timeoutMs: 30_000 });
    expect(event.content?.attachments).toEqual([
      expect.objectContaining({ name: "late.txt", size: 5, sha256: expect.any(String) }),
    ]);
  });
});
