// What only Telegram's updates and answers have: the offset, other programs that receive for the bot, groups that move, formatting.
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { direct, group, name, startTelegram, token } from "../helpers/servers/telegramBus.ts";
import { staysTrue, waitFor } from "../helpers/wait.ts";

describe("the offset", { timeout: 120_000 }, () => {
  test("moves after the events are durable: killed again and again while it takes 300, each is one file, in order", async () => {
    const { telegram, bus } = await startTelegram();
    const texts = Array.from({ length: 300 }, (_, n) => `update ${n}`);
    for (const text of texts) telegram.say(group, { text });
    for (const seen of [20, 120, 220]) {
      await waitFor(() => bus.list("inbox").length >= seen, { timeoutMs: 30_000 });
      const pid = bus.connector(name)?.pid ?? 0;
      process.kill(pid, "SIGKILL");
      const isNew = (now: { state: string; pid?: number }): boolean =>
        now.state === "live" && now.pid !== pid;
      await bus.waitForConnector(name, isNew, { timeoutMs: 60_000 });
    }
    await bus.waitForEvent("update 299", { timeoutMs: 60_000 });
    expect(bus.events().map((event) => event.content?.text)).toEqual(texts);
    await waitFor(() => telegram.queue.length === 0, { message: "Telegram to be told" });
  });

  test("is used once: ids that begin anew below it, as after a week without updates, lose nothing", async () => {
    const { telegram, server, bus } = await startTelegram({ poll_s: 1 });
    telegram.say(group, { text: "before" });
    await bus.waitForEvent("before");
    const polls = server.polls;
    await waitFor(() => server.polls > polls + 2, { message: "polls without an offset" });
    telegram.nextUpdateId -= 50_000_000;
    for (const text of ["after", "after that"]) telegram.say(group, { text });
    await bus.waitForEvent("after that");
    expect(bus.events("after")).toHaveLength(1);
  });

  test("a server that answers at once with nothing is not asked without end", async () => {
    const { server } = await startTelegram({}, (one) => {
      one.impatient = true;
      return "live";
    });
    const before = server.polls;
    await staysTrue(() => server.polls - before < 20, 2000, "fewer than ten polls a second");
  });
});

test("while nothing comes, the Bot API is asked whether it is there", { timeout: 120_000 }, async () => {
  const { server, bus } = await startTelegram();
  const before = server.logins;
  await waitFor(() => server.logins > before, { timeoutMs: 30_000, message: "getMe" });
  await waitFor(() => bus.heartbeat(name)?.last_probe_ok_at, { timeoutMs: 30_000 });
  expect(server.polls).toBeLessThan(3); // and Telegram holds the one question for updates for 25 s
});

describe("who else receives for the bot", { timeout: 120_000 }, () => {
  test("another program that polls is said to be there; when it ends both directions go on", async () => {
    const { telegram, server, bus } = await startTelegram();
    let goesOn = true;
    const poll = async (): Promise<void> => {
      while (goesOn) {
        const response = await fetch(`${server.url}/bot${token}/getUpdates`, { method: "POST" });
        await response.body?.cancel();
        await delay(50);
      }
    };
    const other = poll();
    try {
      const beat = await waitFor(() => {
        const now = bus.heartbeat(name);
        return now?.error?.code === "conflict" && now;
      });
      expect(beat).toMatchObject({
        state: "offline",
        user_action: expect.stringContaining("end it") as string,
      });
    } finally {
      goesOn = false;
      await other;
    }
    await bus.waitForConnector(name, "live", { timeoutMs: 60_000 });
    telegram.say(group, { text: "still here" });
    await bus.waitForEvent("still here");
  });

  test("a webhook stops it, with what to do and without its secrets; once it is removed, it starts", async () => {
    const { server, bus } = await startTelegram({}, (one) => {
      one.webhook = "https://hooks.example.org/secret-path";
      return "stopped";
    });
    const status = bus.connector(name);
    expect(status?.error?.message).toContain("hooks.example.org");
    expect(status?.user_action).toContain("/deleteWebhook");
    expect(JSON.stringify(status)).not.toContain("secret-path");
    server.webhook = "";
    expect((await bus.command("restart", name)).code).toBe(0);
    await bus.waitForConnector(name, "live", { timeoutMs: 30_000 });
  });
});

test("what does not even look like a token stops it as a wrong one does", { timeout: 120_000 }, async () => {
  const { bus } = await startTelegram({ token: "7000000001:AAF" }, () => "stopped");
  const status = bus.connector(name);
  expect(status?.error).toMatchObject({ code: "unauthorized", message: "Not Found" });
  expect(status?.user_action).toContain("@BotFather");
});

describe("an api_url where something else answers", { timeout: 120_000 }, () => {
  test("says what it is: a redirect, a page, a server that the bot has left; and goes on when it is over", async () => {
    const { server, bus } = await startTelegram({}, (one) => {
      one.movedTo = "https://elsewhere.example.org";
      return "offline";
    });
    const shows = async (words: string, hint: string): Promise<void> => {
      const seen = await waitFor(
        () => bus.heartbeat(name)?.error?.message.includes(words) && bus.heartbeat(name),
      );
      expect(seen).toMatchObject({ state: "offline", user_action: expect.stringContaining(hint) as string });
    };
    await shows("301", "is api_url right");
    server.movedTo = undefined;
    server.broken = { calls: Infinity, status: 404 };
    await shows("answered 404", "is api_url right");
    server.broken = { calls: 0, status: 404 };
    server.loggedOut = true;
    await shows("Logged out", "is not the server that it is at now");
    server.loggedOut = false;
    await bus.waitForConnector(name, "live", { timeoutMs: 60_000 });
  });

  test("with a password in it is refused, as are updates that Telegram does not have, with what was meant", async () => {
    const config = { api_url: "https://user:password@example.org", updates: ["mesage"] };
    const { bus } = await startTelegram(config, () => "invalid");
    const { stdout, stderr } = await bus.command("check");
    expect(stdout + stderr).toContain("api_url");
    expect(stdout + stderr).toContain("did you mean `message`");
  });
});

describe("what comes in", { timeout: 120_000 }, () => {
  test("commands and mentions as they are written, and whether they are meant for us", async () => {
    const { telegram, bus } = await startTelegram();
    const entity = (type: string, text: string, of: string) => ({
      type,
      offset: text.indexOf(of),
      length: of.length,
    });
    const said: Array<[string, string, string, boolean]> = [
      ["bot_command", "/start@spoolway_bot now", "/start@spoolway_bot", true],
      ["bot_command", "/start@other_bot now", "/start@other_bot", false],
      ["mention", "👋🏽 hi @Spoolway_Bot!", "@Spoolway_Bot", true],
      ["mention", "hi @ada", "@ada", false],
    ];
    for (const [type, text, of] of said) telegram.say(group, { text, entities: [entity(type, text, of)] });
    telegram.say(group, {
      photo: [telegram.upload("photos/a.jpg", 1, Buffer.from("1"))],
      caption: "@spoolway_bot, look",
      caption_entities: [entity("mention", "@spoolway_bot, look", "@spoolway_bot")],
    });
    said.push(["mention", "@spoolway_bot, look", "", true]);
    const link = { type: "text_mention", offset: 0, length: 2, user: telegram.me };
    telegram.say(group, { text: "hey you", entities: [link] });
    await bus.waitForEvent("hey you");
    const seen = bus.events().map((event) => [event.content?.text, event.mentions_me]);
    expect(seen).toEqual([...said.map(([, text, , isForUs]) => [text, isForUs]), ["hey you", true]]);
  });

  test("people who come together are an event each; who is removed, and by whom; the bot itself", async () => {
    const { telegram, bus } = await startTelegram();
    telegram.say(group, { new_chat_members: [telegram.bob, { ...telegram.ada, id: 9, first_name: "Eve" }] });
    telegram.say(group, { left_chat_member: telegram.bob });
    const chat = telegram.room(group).chat;
    const status = (one: string) => ({ user: telegram.me, status: one });
    const change = { chat, from: telegram.ada, date: 1_790_000_000, old_chat_member: status("member") };
    telegram.tell("my_chat_member", { ...change, new_chat_member: status("kicked") });
    telegram.tell("my_chat_member", { ...change, new_chat_member: status("administrator") });
    const last = await bus.waitForEvent((event) => event.kind === "event");
    expect(last).toMatchObject({ raw: { my_chat_member: { new_chat_member: { status: "administrator" } } } });
    const texts = bus.events((event) => event.kind === "membership").map((event) => event.content?.text);
    expect(texts).toEqual([
      "Bob joined",
      "Eve L. joined",
      "Bob was removed by Ada L.",
      "Spool was removed by Ada L.",
    ]);
    const [us] = bus.events((event) => event.sender?.is_self === true);
    expect(us).toMatchObject({ kind: "membership", sender: { is_bot: true, username: "spoolway_bot" } });
  });

  test("kinds of updates that are asked for and not known are events, with all of it", async () => {
    const { telegram, bus } = await startTelegram({ updates: ["message", "callback_query"] });
    const message = telegram.add(telegram.room(group).chat, { text: "choose", from: telegram.me });
    telegram.tell("callback_query", {
      id: "1",
      from: telegram.ada,
      message,
      data: "yes",
      chat_instance: "1",
    });
    const event = await bus.waitForEvent("yes");
    expect(event).toMatchObject({
      kind: "event",
      conversation: { id: String(group) },
      sender: { username: "ada" },
    });
    telegram.react(group, message.message_id, [], ["👍"]);
    telegram.say(group, { text: "after" });
    await bus.waitForEvent("after");
    expect(bus.events((one) => one.kind === "reaction")).toEqual([]);
  });
});

describe("what goes out", { timeout: 120_000 }, () => {
  test("markdown is seen formatted and is never refused, HTML as it is, and refused where it is wrong", async () => {
    const { telegram, bus } = await startTelegram();
    const send = (text: string, format: string): string =>
      bus.send(name, { conversation_id: String(group), text, format });
    const markdown =
      "# Done.\n- **fast** (_really_): `a<b` & [link](https://example.org/?a=1&b=2)!\n> 1 * 2 > 1 _ [x";
    await bus.waitForReceipt(name, send(markdown, "markdown"));
    expect(telegram.sent(group)[0]?.text).toBe("Done.\n• fast (really): a<b & link!\n1 * 2 > 1 _ [x");
    await bus.waitForReceipt(name, send("<b>bold</b> &amp; <i>more</i>", "html"));
    expect(telegram.sent(group)[1]?.text).toBe("bold & more");
    const dead = await bus.waitForDeadLetter(name, send("<p>no</p>", "html"));
    expect(dead).toMatchObject({
      code: "rejected",
      error: expect.stringContaining('Unsupported start tag "p"') as string,
    });
    expect(dead.hint).toContain("tags");
  });

  test("a group that has moved, a person who has blocked the bot, an id that is none: dead letters that say what to do", async () => {
    const { telegram, bus } = await startTelegram();
    telegram.room(group).migratedTo = -1_009_999;
    telegram.room(direct).closed = "bot was blocked by the user";
    const send = (to: number, more: object = {}): string =>
      bus.send(name, { conversation_id: String(to), text: "hi", ...more });
    const moved = await bus.waitForDeadLetter(name, send(group));
    expect(moved).toMatchObject({
      code: "chat_migrated",
      hint: expect.stringContaining("-1009999") as string,
    });
    const blocked = await bus.waitForDeadLetter(name, send(direct));
    expect(blocked).toMatchObject({ code: "forbidden", error: "Forbidden: bot was blocked by the user" });
    const nowhere = await bus.waitForDeadLetter(name, send(group, { thread_id: "general" }));
    expect(nowhere).toMatchObject({
      code: "invalid_target",
      error: expect.stringContaining("thread_id") as string,
    });
  });

  test("a page in place of an answer leaves a message uncertain; nobody's token is told to anybody", async () => {
    const { telegram, server, bus } = await startTelegram();
    await waitFor(() => server.polls > 0);
    server.broken = { calls: 1, status: 502 };
    const id = bus.send(name, { conversation_id: String(group), text: "hello" });
    const receipt = await bus.waitForReceipt(name, id, { timeoutMs: 30_000 });
    expect(receipt.attempts).toBe(2);
    expect(telegram.sent(group).map(({ text }) => text)).toEqual(["hello"]);
    await server.stop();
    await bus.waitForConnector(name, "offline", { timeoutMs: 30_000 });
    const told = bus.logs() + JSON.stringify(bus.status()) + JSON.stringify(bus.events());
    expect(told).not.toContain(token.split(":")[1]);
  });

  test("an edit that changes nothing is done, a caption is edited where there is no text, other people's messages are not", async () => {
    const { telegram, bus } = await startTelegram();
    bus.drop(name, new Uint8Array(100), "a.bin");
    const attachments = [{ path: "a.bin" }];
    const file = bus.send(name, { conversation_id: String(group), text: "below it", attachments });
    const { platform_id: id = "" } = await bus.waitForReceipt(name, file);
    const edit = (platformId: string, text: string): string =>
      bus.send(name, {
        conversation_id: String(group),
        action: "edit",
        target: { platform_id: platformId },
        text,
      });
    for (const text of ["changed", "changed"]) await bus.waitForReceipt(name, edit(id, text));
    expect(telegram.sent(group)[0]).toMatchObject({ caption: "changed" });
    const { message_id: others } = telegram.say(group, { text: "mine" });
    expect((await bus.waitForDeadLetter(name, edit(String(others), "yours"))).error).toContain(
      "can't be edited",
    );
  });
});
