// What only Discord has: sessions of the gateway that are resumed or expire, buckets, nonces, intents. On a Discord of our own (test/helpers/servers/discord.ts).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { Discord } from "../helpers/servers/discord.ts";
import {
  devId,
  name,
  openDiscord as open,
  opsId,
  say,
  texts,
  threadId,
} from "../helpers/servers/discordBus.ts";
import { staysTrue, waitFor } from "../helpers/wait.ts";

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
    const { logins } = discord.gateway;
    discord.gateway.heartbeatMs = 500;
    discord.gateway.cut({ sessions: true });
    await waitFor(() => logins.length === 2, { timeoutMs: 30_000 });
    discord.gateway.isMute = true;
    await waitFor(() => logins.length > 2, { timeoutMs: 30_000 });
    expect(new Set(logins.slice(1))).toEqual(new Set(["resume"]));
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
    await bus.waitForReceipt(name, bus.send(name, { conversation_id: devId, text: "dropped here" }));
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
    await waitFor(() => bus.logs().includes('"event":"platform.refused"'));
    expect(bus.events("by another program")[0]?.sender?.is_self).toBe(true);
    expect(texts(bus)).not.toContain("dropped here"); // the history does not say its nonce
  });

  test("the first words that are said in a server where nothing was said before, and nobody listened, are fetched", async () => {
    const { discord, bus } = await open();
    await bus.stop();
    discord.gateway.cut({ sessions: false });
    for (const type of [4, 15]) discord.world.addChannel({ type, name: "with others in it" });
    say(discord, devId, "first words");
    await bus.start();
    await bus.waitForEvent("first words", { timeoutMs: 30_000 });
    say(discord, devId, "and now");
    await bus.waitForEvent("and now");
    const asked = discord.requests.filter((request) => request.includes("/messages?"));
    expect(new Set(asked.map((request) => request.split("/")[4]))).toEqual(new Set([devId])); // no category, no forum
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

  test("what no new session helps against stops it, and says so", async () => {
    const { discord, bus } = await open();
    discord.gateway.cut({ sessions: true, code: 4011 });
    await bus.waitForConnector(name, "stopped", { timeoutMs: 30_000 });
    expect(bus.connector(name)).toMatchObject({ user_action: expect.stringMatching(/2500/) });
    expect(discord.gateway.logins).toEqual(["identify"]);
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
