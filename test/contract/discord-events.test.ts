// What becomes of the events that only Discord has, as its documentation says them, and of those that are not as it says. On a Discord of our own (test/helpers/servers/discord.ts).
import { describe, expect, test } from "vitest";
import type { Bus } from "../helpers/bus.ts";
import type { Discord } from "../helpers/servers/discord.ts";
import { devId, name, openDiscord as open, say, texts } from "../helpers/servers/discordBus.ts";
import type { Json, Message } from "../helpers/servers/discordWorld.ts";

const [guilds, messages, reactions] = [1, 512, 1024];

const tell = (discord: Discord, t: string, data: Json, intent = messages): void =>
  discord.world.dispatch(t, { guild_id: discord.world.guildId, ...data }, intent);
/** Resolves with what came before it. */
async function until(discord: Discord, bus: Bus, text: string) {
  say(discord, devId, text);
  await bus.waitForEvent(text);
  return bus.events().filter((event) => event.content?.text !== text);
}

describe("events", { timeout: 120_000 }, () => {
  test("edits, deletes and reactions are told apart as they should be; link previews are nothing", async () => {
    const { discord, bus } = await open();
    const { world } = discord;
    const [one, two] = [say(discord, devId, "one"), say(discord, devId, "two")];
    await bus.waitForEvent("two");
    tell(discord, "MESSAGE_UPDATE", { ...one, embeds: [{ type: "link" }] });
    tell(discord, "MESSAGE_DELETE_BULK", { ids: [one.id, two.id], channel_id: devId });
    const on = { channel_id: devId, message_id: two.id, user_id: world.user("bob").id };
    for (const emoji of [
      { id: "1162000000000000055", name: "blob" },
      { id: "1162000000000000056", name: null },
    ])
      tell(discord, "MESSAGE_REACTION_REMOVE", { ...on, emoji }, reactions);
    world.channel(devId).name = "renamed";
    tell(discord, "CHANNEL_UPDATE", { ...world.channel(devId) }, guilds);
    const events = await until(discord, bus, "the end");
    expect(
      events
        .slice(2)
        .map(({ kind, target, content }) => [kind, target?.platform_id, content?.reaction ?? null]),
    ).toEqual([
      ["delete", one.id, null],
      ["delete", two.id, null],
      ["reaction", two.id, "blob:1162000000000000055"],
      ["reaction", two.id, "_:1162000000000000056"],
    ]);
    expect(events.at(-1)).toMatchObject({
      raw: { t: "MESSAGE_REACTION_REMOVE" },
      sender: { id: on.user_id, is_self: false },
      conversation: { id: devId, name: "dev" },
    });
    expect(bus.events("the end")[0]?.conversation?.name).toBe("renamed");
  });

  test("who is meant and who speaks: mentions, answers without a mention, webhooks, answers to commands", async () => {
    const { discord, bus } = await open();
    const { me } = discord.world;
    const ours = discord.world.add(devId, me, "by another program");
    const theirs = say(discord, devId, "theirs");
    const reply = ({ id }: Message) => ({
      type: 19,
      message_reference: { message_id: id, channel_id: devId },
    });
    say(discord, devId, "to you", reply(ours));
    say(discord, devId, "to somebody else", reply(theirs));
    say(discord, devId, `hello <@${me.id}>`);
    say(discord, devId, "by a command", { type: 23 });
    say(discord, devId, "a thread's name", { type: 18 });
    say(discord, devId, "by a webhook", {
      webhook_id: "1162000000000000066",
      author: { id: "1162000000000000066", username: "deploys", bot: true },
    });
    const events = await until(discord, bus, "the end");
    expect(events.map(({ kind, content, mentions_me: me }) => [content?.text, kind, me])).toEqual([
      ["by another program", "message", false],
      ["theirs", "message", false],
      ["to you", "message", true],
      ["to somebody else", "message", false],
      [`hello <@${me.id}>`, "message", true],
      ["by a command", "message", false],
      ["a thread's name", "event", false],
      ["by a webhook", "message", false],
    ]);
    expect(events.at(-1)?.sender).toMatchObject({ username: "deploys", is_bot: true });
    expect(events[2]?.occurred_at).toMatch(/\+00:00$/);
  });

  test("what we edit and react to comes back as our own; what we delete, without a name", async () => {
    const { discord, bus } = await open();
    const conversation_id = devId;
    const first = bus.send(name, { conversation_id, text: "ours" });
    const { platform_id = "" } = await bus.waitForReceipt(name, first);
    const target = { platform_id };
    for (const more of [
      { action: "edit", text: "corrected" },
      { action: "react", reaction: "👍" },
      { action: "delete" },
    ])
      await bus.waitForReceipt(name, bus.send(name, { conversation_id, target, ...more }));
    const events = await until(discord, bus, "the end");
    expect(events.map(({ kind, sender }) => [kind, sender?.is_self])).toEqual([
      ["edit", true],
      ["reaction", true],
      ["delete", undefined],
    ]);
  });

  test("a server in an outage, and what is not as it should be, hold up nothing", async () => {
    const { discord, bus } = await open();
    const { world } = discord;
    discord.world.dispatch("GUILD_CREATE", { id: world.guildId, unavailable: true }, guilds);
    tell(discord, "MESSAGE_CREATE", { id: "1162000000000000088", channel_id: devId, author: world.me });
    tell(discord, "MESSAGE_REACTION_ADD", { channel_id: devId, emoji: null }, reactions);
    const author = { id: 7, username: ["no text"] };
    tell(discord, "MESSAGE_CREATE", { ...say(discord, devId, "fine"), id: "1162000000000000089", author });
    const events = await until(discord, bus, "the end");
    expect(events.map(({ kind, raw }) => [kind, (raw as { t: string }).t])).toEqual([
      ["event", "MESSAGE_CREATE"],
      ["event", "MESSAGE_REACTION_ADD"],
      ["message", "MESSAGE_CREATE"],
      ["event", "MESSAGE_CREATE"],
    ]);
    expect(discord.gateway.logins).toEqual(["identify"]);
    expect(texts(bus)).toContain("fine");
  });
});
