// What only Discord has: sessions of the gateway that are resumed or expire, buckets, nonces, intents. On a Discord of our own (test/helpers/servers/discord.ts).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Bus, startBus, type Until } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { Discord } from "../helpers/servers/discord.ts";
import { staysTrue, waitFor } from "../helpers/wait.ts";

const devId = "1162000000000000001";
const opsId = "1162000000000000002";
const threadId = "1162000000000000003";
const name = "discord";

async function open(more: object = {}, until: Until = "live"): Promise<{ discord: Discord; bus: Bus }> {
  const discord = new Discord();
  await discord.start();
  atEnd(() => discord.stop());
  discord.world.addChannel({ id: devId, type: 0, name: "dev" });
  discord.world.addChannel({ id: opsId, type: 0, name: "ops" });
  discord.world.addChannel({ id: threadId, type: 11, name: "thread", parent_id: devId });
  const api_url = `http://127.0.0.1:${discord.port}/api`;
  const bus = await startBus({
    connectors: [{ name, type: "discord", token: discord.token, api_url, ...more }],
    defaults: {
      connector: { retry: { attempts: 4, base: "200ms", max: "1s" } },
      supervisor: { backoff_base: "200ms" },
    },
    until,
  });
  return { discord, bus };
}

const say = (discord: Discord, channel: string, text: string) =>
  discord.world.add(channel, discord.world.user("ada"), text);
const texts = (bus: Bus): string[] => bus.events().map((event) => event.content?.text ?? "");
const seen = (discord: Discord, channel: string): string[] =>
  (discord.world.messages.get(channel) ?? []).map(({ content }) => content);

describe("sessions", { timeout: 120_000 }, () => {
  test("asked to connect again, it resumes, and what was said meanwhile arrives once", async () => {
    const { discord, bus } = await open();
    say(discord, devId, "before");
    await bus.waitForEvent("before");
    discord.gateway.say({ op: 7, d: null, s: null, t: null });
    for (let n = 0; n < 5; n++) say(discord, devId, `meanwhile ${n}`);
    await bus.waitForEvent("meanwhile 4", { timeoutMs: 30_000 });
    await waitFor(() => discord.gateway.logins.length === 2);
    expect(discord.gateway.logins).toEqual(["identify", "resume"]);
    expect(texts(bus)).toEqual(["before", ...[0, 1, 2, 3, 4].map((n) => `meanwhile ${n}`)]);
  });

  test("a heartbeat that is not answered ends the connection, and the session goes on", async () => {
    const { discord, bus } = await open({ runtime: { probe_every: "1h" } });
    discord.gateway.isMute = true;
    await waitFor(() => discord.gateway.logins.includes("resume"), { timeoutMs: 30_000 });
    discord.gateway.isMute = false;
    await bus.waitForConnector(name, "live", { timeoutMs: 30_000 });
    say(discord, devId, "after");
    await bus.waitForEvent("after");
  });

  test("killed among many events, it gets what was not durable again, although its heartbeats were answered", async () => {
    const { discord, bus } = await open();
    discord.gateway.heartbeatMs = 200;
    discord.gateway.cut({ sessions: true });
    await waitFor(() => discord.gateway.logins.includes("resume"), { timeoutMs: 30_000 });
    const all = Array.from({ length: 600 }, (_, n) => `event ${n}`);
    for (const [n, text] of all.entries()) {
      say(discord, n % 2 ? devId : opsId, text);
      if (n === 300) await waitFor(() => bus.list("inbox").length > 20);
      if (n === 300) process.kill(bus.connector(name)?.pid ?? 0, "SIGKILL");
    }
    await waitFor(() => texts(bus).includes("event 599"), { timeoutMs: 60_000 });
    expect(texts(bus).filter((text) => text.startsWith("event"))).toEqual(all);
    expect(discord.gateway.logins.filter((login) => login === "identify")).toHaveLength(1);
  });

  test("after a session that expired, what was said in channels, threads and direct messages is fetched, in order, once", async () => {
    const { discord, bus } = await open();
    const direct = discord.world.addChannel({ type: 1, recipient_id: discord.world.user("ada").id });
    for (const channel of [devId, threadId, direct.id]) say(discord, channel, `before ${channel}`);
    await bus.waitForEvent(`before ${direct.id}`);
    await bus.stop();
    discord.gateway.cut({ sessions: false });
    const missed = Array.from({ length: 130 }, (_, n) => `missed ${n}`);
    for (const text of missed) say(discord, devId, text);
    say(discord, opsId, "in ops");
    say(discord, threadId, "in the thread");
    say(discord, direct.id, "for you only");
    discord.world.add(devId, discord.world.me, "by another program");
    discord.world.channel(opsId).hidden = true;
    await bus.start();
    await bus.waitForEvent("by another program", { timeoutMs: 30_000 });
    const inThread = await bus.waitForEvent("in the thread");
    expect(inThread).toMatchObject({ thread_id: threadId, conversation: { id: devId, name: "dev" } });
    expect(await bus.waitForEvent("for you only")).toMatchObject({ conversation: { type: "direct" } });
    expect(texts(bus).filter((text) => text.startsWith("missed"))).toEqual(missed);
    expect(new Set(texts(bus)).size).toBe(texts(bus).length);
    expect(texts(bus)).not.toContain("in ops"); // hidden, which is no obstacle
    expect(bus.logs()).toContain('"event":"platform.refused"');
    expect(bus.events("by another program")[0]?.sender?.is_self).toBe(true);
  });

  test("where no new session is allowed today it waits, and begins none", async () => {
    const { discord, bus } = await open({}, "nothing");
    await bus.waitForConnector(name, "live");
    discord.gateway.identifiesLeft = 0;
    discord.gateway.cut({ sessions: false });
    await waitFor(() => bus.logs().includes("no new session"), { timeoutMs: 30_000 });
    const before = discord.gateway.logins.filter((login) => login === "identify").length;
    await staysTrue(
      () => discord.gateway.logins.filter((login) => login === "identify").length === before,
      1500,
      "none",
    );
    discord.gateway.identifiesLeft = 10;
    await bus.waitForConnector(name, "live", { timeoutMs: 30_000 });
  });

  test("an intent that is not switched on stops it and says where the switch is; without it it sees that somebody wrote", async () => {
    const discord = new Discord();
    discord.gateway.allowedIntents = 0;
    await discord.start();
    atEnd(() => discord.stop());
    discord.world.addChannel({ id: devId, type: 0, name: "dev" });
    const entry = {
      name,
      type: "discord",
      token: discord.token,
      api_url: `http://127.0.0.1:${discord.port}/api`,
    };
    const bus = await startBus({ connectors: [entry], until: "stopped" });
    expect(bus.connector(name)?.user_action).toMatch(/Message Content Intent/);
    bus.configure([{ ...entry, message_content: false }]);
    await bus.waitForConnector(name, "live");
    const { id } = say(discord, devId, "a secret");
    expect((await bus.waitForEvent((event) => event.platform_id === id)).content?.text).toBe("");
    for (const file of bus.list("inbox"))
      expect(readFileSync(join(bus.spool, "inbox", file), "utf8")).not.toContain(discord.token);
    expect(bus.logs()).not.toContain(discord.token);
  });
});

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
