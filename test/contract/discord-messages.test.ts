// What only Discord has about messages: buckets, mentions, direct conversations, what it refuses. On a Discord of our own (test/helpers/servers/discord.ts).
import { describe, expect, test } from "vitest";
import { devId, name, openDiscord as open, opsId, say, seen, texts } from "../helpers/servers/discordBus.ts";
import { Refusal } from "../helpers/servers/discordWorld.ts";
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

  test("a channel in slow mode holds up nobody but itself, for as long as it says", async () => {
    const { discord, bus } = await open();
    discord.slow = { channel: devId, until: Date.now() + 9000 };
    const slow = bus.send(name, { conversation_id: devId, text: "slow" });
    await waitFor(() => discord.slowed === 1);
    await bus.waitForReceipt(name, bus.send(name, { conversation_id: opsId, text: "quick" }));
    expect(Date.now()).toBeLessThan(discord.slow.until);
    await bus.waitForReceipt(name, slow, { timeoutMs: 30_000 });
    expect(discord.slowed).toBe(1);
  });

  test("a limit of the whole bot holds up all that is sent, and is no attempt", async () => {
    const { discord, bus } = await open({ runtime: { retry: { attempts: 1 } } });
    discord.isGlobalWait = true;
    discord.waitUntil = Date.now() + 7500;
    const ids = [devId, opsId].map((conversation_id, n) =>
      bus.send(name, { conversation_id, text: `waits ${n}` }),
    );
    await waitFor(() => discord.requests.some((request) => request.startsWith("POST")));
    for (const id of ids) await bus.waitForReceipt(name, id, { timeoutMs: 40_000 });
    expect(discord.early).toBeLessThan(2); // both may have been under way
  });

  test("what is so for a while is tried again, and what is too large is not", async () => {
    const { discord, bus } = await open();
    discord.refusals.push(new Refusal(400, 40004, "Send messages has been temporarily disabled"), "blocked");
    const id = bus.send(name, { conversation_id: devId, text: "patience" });
    expect((await bus.waitForReceipt(name, id)).attempts).toBe(3);
    for (const refusal of [
      new Refusal(400, 50045, "File uploaded exceeds"),
      new Refusal(413, 0, "Too Large"),
    ]) {
      discord.refusals.push(refusal);
      const large = bus.send(name, { conversation_id: devId, text: "large" });
      expect((await bus.waitForDeadLetter(name, large)).code).toBe("too_large");
    }
    expect(seen(discord, devId)).toEqual(["patience"]);
  });

  test("an edit has a subject too; its attachments take the place of those that were there, and without any they stay", async () => {
    const { discord, bus } = await open();
    for (const one of ["a.txt", "b.txt"]) bus.drop(name, new TextEncoder().encode(one), one);
    const first = { conversation_id: devId, text: "one", attachments: [{ path: "a.txt" }] };
    const { platform_id = "" } = await bus.waitForReceipt(name, bus.send(name, first));
    const edit = { conversation_id: devId, action: "edit", target: { platform_id } };
    const state = (): unknown => {
      const { content, attachments } = discord.world.message(devId, platform_id);
      return [content, ...attachments.map(({ filename }) => filename)];
    };
    await bus.waitForReceipt(name, bus.send(name, { ...edit, subject: "Two", text: "two" }));
    expect(state()).toEqual(["Two\ntwo", "a.txt"]);
    await bus.waitForReceipt(name, bus.send(name, { ...edit, attachments: [{ path: "b.txt" }] }));
    expect(state()).toEqual(["Two\ntwo", "b.txt"]);
  });

  test("what was dropped makes no event, mentions only whom it may, and twelve files go in two messages", async () => {
    const { discord, bus } = await open();
    const attachments = Array.from({ length: 12 }, (_, n) => ({ path: `f${n}.txt`, name: `ü${n}.txt` }));
    for (const { path } of attachments) bus.drop(name, new TextEncoder().encode(path), path);
    const { id: reply_to } = say(discord, devId, "files, please");
    await bus.waitForEvent("files, please");
    const drop = { conversation_id: devId, reply_to, subject: "Look", text: "@everyone", attachments };
    const id = bus.send(name, drop);
    const { platform_ids: ids } = await bus.waitForReceipt(name, id, { timeoutMs: 30_000 });
    expect(ids).toHaveLength(2);
    expect(seen(discord, devId)).toEqual(["files, please", "Look\n@everyone", ""]);
    const [, first, second] = discord.world.messages.get(devId) ?? [];
    expect(first).toMatchObject({ type: 19, allowed: { parse: ["users"] }, attachments: { length: 10 } });
    expect(second?.type).toBe(0);
    expect([...discord.world.files.values()].map((file) => file.name)).toEqual(
      attachments.map((file) => file.name),
    );
    say(discord, devId, "and now?");
    await bus.waitForEvent("and now?");
    expect(texts(bus)).toEqual(["files, please", "and now?"]);
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

  test("an answer to a message that is gone is an ordinary one; a message that an earlier try deleted is deleted", async () => {
    const { discord, bus } = await open();
    const gone = { conversation_id: devId, text: "too late", reply_to: "1162000000000000099" };
    const { platform_id = "" } = await bus.waitForReceipt(name, bus.send(name, gone));
    expect(discord.world.message(devId, platform_id).type).toBe(0);
    discord.isSwallowing = true;
    const id = bus.send(name, { conversation_id: devId, action: "delete", target: { platform_id } });
    await waitFor(() => seen(discord, devId).length === 0);
    process.kill(bus.connector(name)?.pid ?? 0, "SIGKILL");
    discord.isSwallowing = false;
    await bus.waitForReceipt(name, id, { timeoutMs: 30_000 });
  });

  test("what cannot be done is refused with Discord's words, or before it is asked, and what to do", async () => {
    const { discord, bus } = await open();
    const { id: theirs } = say(discord, devId, "theirs");
    const target = { platform_id: theirs };
    const refusals: Array<[drop: object, code: string, error: RegExp]> = [
      [
        { conversation_id: `${devId}/messages`, text: "x" },
        "invalid_target",
        /conversation_id .* is not an id/,
      ],
      [{ thread_id: "../users/@me", text: "x" }, "invalid_target", /thread_id .* is not an id/],
      [
        {
          action: "react",
          target: { platform_id: "1162000000000000099" },
          reaction: "👍",
        },
        "rejected",
        /Unknown Message/,
      ],
      [
        {
          action: "edit",
          text: "long ".repeat(500),
          target,
        },
        "rejected",
        /Cannot edit a message/,
      ],
      [{ action: "delete", target }, "rejected", /Missing Permissions/],
      [{ text: " " }, "invalid_message", /no text/],
      [{ text: "x", reply_to: "abc" }, "invalid_target", /reply_to .* is not an id/],
      [{ action: "react", target }, "invalid_message", /needs a reaction/],
      [{ conversation_id: "user:1162000000000000044", text: "x" }, "rejected", /no mutual guilds/],
    ];
    for (const [drop, code, error] of refusals) {
      const dead = await bus.waitForDeadLetter(name, bus.send(name, { conversation_id: devId, ...drop }));
      expect([dead.code, dead.error]).toEqual([code, expect.stringMatching(error)]);
      expect(dead.hint ?? "").not.toBe("");
    }
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
