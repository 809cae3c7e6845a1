// What Telegram's messages become and what becomes Telegram's messages, one by one, as the connector's README says it.
import { describe, expect, test } from "vitest";
import { direct, group, name, startTelegram } from "../helpers/servers/telegramBus.ts";
import type { Telegram } from "../helpers/servers/telegram.ts";

const topics = -1002;
const channel = -1003;

/** A group with one topic, and a channel. */
function openMore(telegram: Telegram): void {
  telegram.open({ id: topics, type: "supergroup", title: "Topics", is_forum: true }).topics.add(17);
  telegram.open({ id: channel, type: "channel", title: "News", username: "dev_news" });
}

describe("what comes in", { timeout: 120_000 }, () => {
  test("answers name what they answer: in a group without topics, in a topic, and not the message that began the topic", async () => {
    const { telegram, bus } = await startTelegram();
    openMore(telegram);
    const question = telegram.say(group, { text: "question" });
    const answer = telegram.say(group, { text: "answer", reply_to_message: question }, telegram.bob);
    telegram.say(group, { text: "answer to it", reply_to_message: answer });
    const topic = { message_thread_id: 17, is_topic_message: true };
    const began = { message_id: 17, date: 1, chat: telegram.room(topics).chat };
    const first = telegram.say(topics, { text: "first", ...topic, reply_to_message: began });
    telegram.say(topics, { text: "second", ...topic, reply_to_message: first });
    await bus.waitForEvent("second");
    const id = (one: { message_id: number }): string => String(one.message_id);
    expect(bus.events().map((event) => [event.thread_id, event.reply_to])).toEqual([
      [undefined, undefined],
      [undefined, id(question)],
      [undefined, id(answer)],
      ["17", undefined],
      ["17", id(first)],
    ]);
  });

  test("what is said without text is a message too, with the emoji of a sticker and the question of a poll; what happens is an event", async () => {
    const { telegram, bus } = await startTelegram();
    const sticker = { ...telegram.upload("stickers/file_1.webp", 3, Buffer.from("pic")), emoji: "🎉" };
    telegram.say(group, { sticker });
    telegram.say(group, { poll: { id: "1", question: "when?", options: [] } });
    telegram.say(group, { location: { latitude: 1, longitude: 2 } });
    telegram.say(group, { contact: { phone_number: "1", first_name: "Eve" } });
    telegram.say(group, { forum_topic_created: { name: "Topic", icon_color: 1 } });
    telegram.say(group, { new_chat_title: "Devs" });
    await bus.waitForEvent("Devs");
    expect(bus.events().map(({ kind, content }) => [kind, content?.text])).toEqual([
      ...[
        ["message", "🎉"],
        ["message", "when?"],
        ["message", undefined],
        ["message", undefined],
      ],
      ...[
        ["event", undefined],
        ["event", "Devs"],
      ],
    ]);
    expect(bus.events("🎉")[0]?.content?.attachments).toMatchObject([{ name: "file_1.webp", size: 3 }]);
  });

  test("an edited caption comes with its file; a reaction is all that there is now; one that nobody can name has no id", async () => {
    const { telegram, bus } = await startTelegram();
    const document = {
      ...telegram.upload("documents/a.txt", 4, Buffer.from("text")),
      mime_type: "text/plain",
    };
    const { message_id: id } = telegram.say(group, { document, caption: "before" });
    telegram.edit(group, id, { caption: "after", edit_date: 1_000_000_000 });
    telegram.react(group, id, ["👍"], []);
    const custom = [{ type: "custom_emoji", custom_emoji_id: "5" }, { type: "paid" }];
    const { chat } = telegram.room(group);
    const reaction = { chat, message_id: id, date: 1, actor_chat: chat, old_reaction: [] };
    telegram.tell("message_reaction", { ...reaction, new_reaction: custom });
    telegram.say(direct, { text: "for you alone", message_id: 0 });
    await bus.waitForEvent("for you alone");
    const target = { platform_id: String(id) };
    const attachments = [{ name: "a.txt", media_type: "text/plain", size: 4, path: expect.any(String) }];
    const [edit, taken, other, ephemeral] = bus.events().slice(1);
    expect(edit?.occurred_at).toBe("2001-09-09T01:46:40.000Z");
    expect(edit).toMatchObject({ kind: "edit", target, content: { text: "after", attachments } });
    expect(taken).toMatchObject({ kind: "reaction", target, content: { reaction: "" } });
    expect(other).toMatchObject({
      content: { reaction: "custom_emoji paid" },
      sender: { id: String(group) },
    });
    expect(ephemeral?.platform_id).toBeUndefined();
    expect(ephemeral?.reply).toEqual({ connector: name, conversation_id: String(direct) });
  });

  test("who speaks for a chat has its id, and is no bot; a post of a channel is the channel's", async () => {
    const { telegram, bus } = await startTelegram();
    openMore(telegram);
    const anonymous = { id: 1_087_968_824, is_bot: true, first_name: "Group", username: "GroupAnonymousBot" };
    telegram.say(group, { text: "rules", sender_chat: telegram.room(group).chat }, anonymous);
    telegram.say(channel, { text: "news" });
    telegram.say(direct, { text: "to you" });
    await bus.waitForEvent("to you");
    const [rules, news, toYou] = bus.events();
    expect(rules?.conversation).toEqual({ id: String(group), type: "group", name: "Dev" });
    expect(toYou?.conversation).toEqual({ id: String(direct), type: "direct", name: "Ada" });
    expect(rules?.sender).toEqual({ id: String(group), display_name: "Dev", is_self: false });
    expect(news).toMatchObject({
      kind: "message",
      conversation: { id: String(channel), type: "channel", name: "News" },
      sender: { id: String(channel), username: "dev_news", display_name: "News" },
    });
  });

  test("a new rank moves nobody; who comes with restrictions has come; who is banned from afar has not left", async () => {
    const { telegram, bus } = await startTelegram({ updates: ["message", "chat_member"] });
    const change = (before: object, now: object): void => {
      const as = (one: object) => ({ user: telegram.bob, ...one });
      const [old_chat_member, new_chat_member] = [as(before), as(now)];
      const { chat } = telegram.room(group);
      telegram.tell("chat_member", { chat, from: telegram.ada, date: 1, old_chat_member, new_chat_member });
    };
    const muted = { status: "restricted", is_member: true };
    change({ status: "left" }, muted);
    change(muted, { status: "member" });
    change({ status: "member" }, { status: "administrator" });
    change({ status: "administrator" }, { status: "member" });
    change({ status: "member" }, { status: "kicked" });
    change({ status: "kicked" }, { status: "left" });
    telegram.say(group, { text: "after" });
    await bus.waitForEvent("after");
    const seen = bus.events().map(({ kind, content }) => [kind, content?.text]);
    const none = ["event", undefined];
    expect(seen).toEqual([
      ["membership", "Bob joined"],
      ...[none, none, none],
      ["membership", "Bob was removed by Ada L."],
      none,
      ["message", "after"],
    ]);
  });

  test("messages of chats that are not the bot's own are events: no answer would go there", async () => {
    const { telegram, bus } = await startTelegram({
      updates: ["message", "business_message", "edited_business_message", "inline_query"],
    });
    const chat = { id: 9, type: "private", first_name: "Eve" };
    const message = { message_id: 5, date: 1, chat, from: telegram.ada, business_connection_id: "b" };
    telegram.tell("business_message", { ...message, text: "a customer" });
    telegram.tell("edited_business_message", { ...message, text: "corrected" });
    telegram.tell("inline_query", { id: "1", from: telegram.ada, query: "q", location: { latitude: 1 } });
    telegram.say(group, { text: "after" });
    await bus.waitForEvent("after");
    expect(bus.events().map(({ kind }) => kind)).toEqual(["event", "event", "event", "message"]);
  });
});

describe("what goes out", { timeout: 120_000 }, () => {
  test("an answer to a message that is gone is a plain message, also in a topic", async () => {
    const { telegram, bus } = await startTelegram();
    openMore(telegram);
    bus.drop(name, Buffer.from("bytes"), "a.bin");
    const gone = { reply_to: "99999" };
    const drops = [
      { conversation_id: String(group), text: "in the group", ...gone },
      { conversation_id: String(topics), text: "in the topic", thread_id: "17", ...gone },
      {
        ...{ conversation_id: String(topics), text: "a file", thread_id: "17", ...gone },
        attachments: [{ path: "a.bin" }],
      },
    ];
    for (const drop of drops) await bus.waitForReceipt(name, bus.send(name, drop));
    const typing = { conversation_id: String(topics), thread_id: "17", action: "typing" };
    await bus.waitForReceipt(name, bus.send(name, typing));
    expect(telegram.room(topics).typingIn).toBe(17);
    const seen = [...telegram.sent(group), ...telegram.sent(topics)];
    expect(seen.map((one) => [one.text ?? one.caption, one.message_thread_id, one.reply_to_message])).toEqual(
      [
        ["in the group", undefined, undefined],
        ["in the topic", 17, undefined],
        ["a file", 17, undefined],
      ],
    );
  });

  test("of a long text only the first part answers", async () => {
    const { telegram, bus } = await startTelegram();
    const { message_id } = telegram.say(group, { text: "tell me all" });
    const text = "word ".repeat(1000);
    const drop = { conversation_id: String(group), text, reply_to: String(message_id) };
    await bus.waitForReceipt(name, bus.send(name, drop));
    const answered = telegram.sent(group).map((one) => one.reply_to_message?.message_id);
    expect(answered).toEqual([message_id, undefined]);
  });

  test("to a channel by its name, with a subject as the first line; a long markdown in pieces that are each formatted", async () => {
    const { telegram, bus } = await startTelegram();
    openMore(telegram);
    const send = (fields: object): string => bus.send(name, { conversation_id: "@dev_news", ...fields });
    await bus.waitForReceipt(name, send({ subject: "Title", text: "text" }));
    const code = Array.from({ length: 300 }, (_, n) => `const a${n} = b * c * d;`);
    const text = ["```js", ...code, "```", "*end*"].join("\n");
    await bus.waitForReceipt(name, send({ format: "markdown", text }));
    const [titled, ...pieces] = telegram.sent(channel).map((one) => one.text ?? "");
    expect(titled).toBe("Title\ntext");
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join("\n")).toBe([...code, "end"].join("\n"));
  });

  test("a heart is taken with and without the sign that makes it red, and taken back; what is not on Telegram's list is refused with a hint", async () => {
    const { telegram, bus } = await startTelegram();
    const { message_id: id } = telegram.say(group, { text: "well done" });
    const react = (reaction: string): string => {
      const target = { platform_id: String(id) };
      return bus.send(name, { conversation_id: String(group), action: "react", target, reaction });
    };
    const { reactions } = telegram.room(group);
    for (const heart of ["❤️", "", "❤"]) {
      await bus.waitForReceipt(name, react(heart));
      expect(reactions.get(id)).toBe(heart === "" ? undefined : "❤");
    }
    const dead = await bus.waitForDeadLetter(name, react("🥑"));
    expect(dead).toMatchObject({ code: "rejected", error: "Bad Request: REACTION_INVALID" });
    expect(dead.hint).toContain("list");
  });

  test("an edit that Telegram has no room for, or that brings a file, is refused; nothing of it is left out in silence", async () => {
    const { telegram, bus } = await startTelegram();
    const first = bus.send(name, { conversation_id: String(group), text: "first" });
    const { platform_id: id = "" } = await bus.waitForReceipt(name, first);
    const edit = async (fields: object): Promise<string> => {
      const target = { platform_id: id };
      const drop = { conversation_id: String(group), action: "edit", target, ...fields };
      return (await bus.waitForDeadLetter(name, bus.send(name, drop))).code;
    };
    bus.drop(name, Buffer.from("bytes"), "a.bin");
    expect(await edit({ text: "changed", attachments: [{ path: "a.bin" }] })).toBe("not_supported");
    expect(await edit({ text: "word ".repeat(1000) })).toBe("too_large");
    expect(await edit({ text: `<b>${"word ".repeat(1000)}</b>`, format: "html" })).toBe("too_large");
    expect(telegram.sent(group).map(({ text }) => text)).toEqual(["first"]);
    const html = `<b>${"word ".repeat(1000)}</b>`; // which is not cut either
    const whole = bus.send(name, { conversation_id: String(group), text: html, format: "html" });
    expect((await bus.waitForDeadLetter(name, whole)).code).toBe("too_large");
  });

  test("an edit is formatted as a message is, also below a file", async () => {
    const { telegram, bus } = await startTelegram();
    bus.drop(name, Buffer.from("bytes"), "a.bin");
    const drops = [{ text: "text" }, { text: "caption", attachments: [{ path: "a.bin" }] }];
    for (const drop of drops) {
      const conversation = { conversation_id: String(group) };
      const { platform_id } = await bus.waitForReceipt(name, bus.send(name, { ...conversation, ...drop }));
      const edit = { action: "edit", target: { platform_id }, text: "**now** `a < b`", format: "markdown" };
      await bus.waitForReceipt(name, bus.send(name, { ...conversation, ...edit }));
    }
    expect(telegram.sent(group).map((one) => one.text ?? one.caption)).toEqual(["now a < b", "now a < b"]);
  });

  test("what the group does not allow is forbidden, whatever number Telegram gives it", async () => {
    const { telegram, bus } = await startTelegram();
    const words = [
      "not enough rights to send text messages to the chat",
      "need administrator rights in the channel chat",
      "CHAT_WRITE_FORBIDDEN",
      "CHAT_ADMIN_REQUIRED",
      "CHAT_RESTRICTED",
      "TOPIC_CLOSED",
    ];
    for (const muted of words) {
      telegram.room(group).muted = muted;
      const id = bus.send(name, { conversation_id: String(group), text: "hi" });
      const dead = await bus.waitForDeadLetter(name, id);
      expect(dead).toMatchObject({ code: "forbidden", error: `Bad Request: ${muted}` });
      expect(dead.hint).toContain("let it write");
    }
  });

  test("only what the bot may delete is deleted; a try whose answer was lost has done it", async () => {
    const { telegram, server, bus } = await startTelegram();
    const { message_id: others } = telegram.say(group, { text: "mine" });
    const remove = (id: string): string => {
      const target = { platform_id: id };
      return bus.send(name, { conversation_id: String(group), action: "delete", target });
    };
    const refused = await bus.waitForDeadLetter(name, remove(String(others)));
    expect(refused.error).toBe("Bad Request: message can't be deleted");
    telegram.room(group).isAdmin = true;
    await bus.waitForReceipt(name, remove(String(others)));
    expect((await bus.waitForDeadLetter(name, remove(String(others)))).error).toContain("delete not found");
    const sent = bus.send(name, { conversation_id: String(group), text: "ours" });
    const { platform_id: ours = "" } = await bus.waitForReceipt(name, sent);
    server.dropAnswersTo = "deletemessage";
    const receipt = await bus.waitForReceipt(name, remove(ours), { timeoutMs: 30_000 });
    expect(receipt.attempts).toBe(2);
    expect(telegram.sent(group)).toEqual([]);
  });
});
