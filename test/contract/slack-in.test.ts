// What only Slack has, coming in: acknowledgements and repeats, retries into another session, threads and limits while catching up, events that are none, other people's hosts.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { atEnd } from "../helpers/children.ts";
import { botToken } from "../helpers/servers/slack.ts";
import { general, startSlack } from "../helpers/servers/slackBus.ts";
import { stored, type StoredMessage } from "../helpers/servers/slackStore.ts";
import { staysTrue, waitFor } from "../helpers/wait.ts";

describe("slack, in", { timeout: 120_000 }, () => {
  test("an envelope is acknowledged when its event is on the disk, and not before", async () => {
    const { slack, bus } = await startSlack();
    const thereAtAck: number[] = [];
    slack.sockets.mayTakeAck = () => {
      thereAtAck.push(bus.list("inbox").length);
      return true;
    };
    for (let n = 1; n <= 5; n += 1) slack.say(general, `message ${n}`);
    await waitFor(() => slack.sockets.acknowledged.length === 5, { message: "five acknowledgements" });
    for (const [before, files] of thereAtAck.entries()) expect(files).toBeGreaterThan(before);
    expect(slack.sockets.faults).toEqual([]);
  });

  test("what Slack repeats because an acknowledgement was lost is one file, also in another process", async () => {
    const { slack, bus } = await startSlack((fresh) => {
      fresh.sockets.ackMs = 300;
      fresh.sockets.retryMs = Array<number>(100).fill(300); // as long as another process may take to be there
    });
    slack.sockets.mayTakeAck = () => false;
    slack.say(general, "again and again");
    await bus.waitForEvent("again and again");
    await bus.killConnector("slack");
    slack.sockets.mayTakeAck = () => true;
    await waitFor(() => slack.sockets.acknowledged.length > 0, { message: "an acknowledgement" });
    slack.say(general, "after");
    await bus.waitForEvent("after");
    expect(bus.events("again and again")).toHaveLength(1);
  });

  test("a mention comes as two events of Slack's and is one of ours", async () => {
    const { slack, bus } = await startSlack();
    const text = `<@${slack.bot.id}> help &amp; <https://x.org|tips>, <@${slack.ada.id}> says <!here>`;
    const said = slack.post(slack.channel(general), { user: slack.ada.id, text });
    slack.emit({ ...slack.inRoom(slack.channel(general), said), type: "app_mention" });
    slack.say(general, "after");
    await bus.waitForEvent("after");
    const [event, ...more] = bus.events("@spool help & tips (https://x.org), @ada says @here");
    expect(more).toEqual([]);
    expect(event).toMatchObject({ kind: "message", mentions_me: true, platform_id: said.ts });
  });

  test("a preview is no edit; a deleted root of a thread is a deletion", async () => {
    const { slack, bus } = await startSlack();
    const room = slack.channel(general);
    const said = slack.say(general, "see x.org");
    const changed = { subtype: "message_changed", ts: slack.store.newTs(), previous_message: said };
    slack.emit({ ...slack.inRoom(room, changed), message: { ...said, attachments: [{ title: "X" }] } });
    slack.emit({
      ...slack.inRoom(room, changed),
      message: { ...said, text: "This message was deleted.", subtype: "tombstone" },
    });
    slack.say(general, "after");
    await bus.waitForEvent("after");
    expect(bus.events().map(({ kind }) => kind)).toEqual(["message", "delete", "message"]);
    expect(bus.events()[1]?.target).toEqual({ platform_id: said.ts });
  });

  test("a click, a shortcut and a command are events of who did it, at the time that Slack says, and no edits", async () => {
    const { slack, bus } = await startSlack();
    const said = slack.post(slack.channel(general), { ...slack.byBot(), ...stored("Deploy?") });
    await bus.waitForEvent("Deploy?");
    const there = { user: { id: slack.ada.id, name: "ada" }, channel: { id: general, name: "general" } };
    const click = { type: "block_actions", ...there, message: said, trigger_id: "13.1" };
    const action = { type: "button", action_id: "deploy", action_ts: "1763769125.000100" };
    slack.sockets.emit("interactive", { ...click, actions: [{ ...action, value: "yes" }] });
    const untold = { ...said, text: "" }; // a message of blocks only
    slack.sockets.emit("interactive", { ...click, message: untold, actions: [action], trigger_id: "13.2" });
    const shortcut = { type: "message_action", callback_id: "file-it", action_ts: "1763769126.000100" };
    slack.sockets.emit("interactive", { ...there, ...shortcut, message: said, trigger_id: "13.3" });
    const command = { command: "/weather", text: "94070", user_id: slack.ada.id, channel_id: general };
    slack.sockets.emit("slash_commands", { ...command, trigger_id: "13.4" });
    await bus.waitForEvent("/weather 94070");
    const [, ...events] = bus.events();
    expect(events.map(({ kind, content }) => [kind, content?.text])).toEqual(
      ["yes", "deploy", "file-it", "/weather 94070"].map((text) => ["event", text]),
    );
    const ada = expect.objectContaining({ username: "ada", is_self: false });
    expect(events.map(({ sender }) => sender)).toEqual([ada, ada, ada, ada]);
    expect(events.map(({ occurred_at: at }) => at)).toEqual([
      "2025-11-21T23:52:05.000Z",
      "2025-11-21T23:52:05.000Z",
      "2025-11-21T23:52:06.000Z",
      undefined,
    ]);
  });

  test("what is not as Slack says comes as it is, also when it was missed, and holds nothing up", async () => {
    const { slack, bus } = await startSlack();
    const strange = { user: null, username: null, files: [null] } as unknown as Partial<StoredMessage>;
    const say = (n: number): string => slack.say(general, `strange ${n}`, strange).ts;
    const first = say(1);
    slack.sockets.emit("interactive", { type: "new", channel: 5, trigger_id: {} });
    slack.say(general, "by nobody", { user: null } as unknown as Partial<StoredMessage>);
    await bus.waitForEvent("by nobody");
    await bus.stop();
    const missed = say(2);
    slack.say(general, "after");
    await bus.start();
    await bus.waitForEvent("after");
    const raw = bus.events().map((event) => event.raw as { ts?: string; type: string });
    expect(raw.map(({ ts, type }) => (type === "message" ? ts : type))).toEqual([
      first,
      "new",
      expect.any(String),
      missed,
      expect.any(String),
    ]);
    expect(bus.events().map(({ kind }) => kind)).toEqual(["event", "event", "message", "event", "message"]);
    expect(bus.logs()).toContain("event.not_understood");
    expect(bus.logs()).not.toContain("session.lost");
  });

  test("answers in threads that were missed come too, in order; the limit of a method is kept, and what is said meanwhile does not wait for it", async () => {
    const { slack, bus } = await startSlack();
    const text = "before";
    slack.say(general, text);
    await bus.waitForEvent(text);
    await bus.stop();
    const root = slack.say(general, "root");
    slack.say(general, "other");
    slack.say(general, "answer", { thread_ts: root.ts });
    slack.atNext.set("conversations.history", () => slack.impose(4, "conversations.history"));
    await bus.start();
    slack.say("C0RANDOM", "now");
    await bus.waitForEvent("now");
    expect(bus.events("root")).toEqual([]);
    await bus.waitForEvent("answer", { timeoutMs: 30_000 });
    const texts = bus.events().map(({ content }) => content?.text);
    expect(texts.filter((one) => one !== "now")).toEqual(["before", "root", "other", "answer"]);
    expect(bus.events("answer")[0]).toMatchObject({ thread_id: root.ts, reply_to: root.ts });
    expect(bus.events("root")[0]?.thread_id).toBeUndefined();
    expect(slack.early).toBe(0);
  });

  test("a history of more pages than Slack gives at once comes whole, with answers to what was said before", async () => {
    const { slack, bus } = await startSlack();
    const add = (text: string, more = {}): string => {
      const message = { user: slack.ada.id, ts: slack.store.newTs(), ...stored(text), ...more };
      slack.store.add(slack.channel(general), { type: "message", ...message });
      return message.ts;
    };
    await bus.stop();
    const hoursAgo = (hours: number): string => (Date.now() / 1000 - hours * 3600).toFixed(6);
    const [root, quiet] = [add("root", { ts: hoursAgo(3) }), add("quiet", { ts: hoursAgo(2) })];
    add("answered before", { ts: hoursAgo(1), thread_ts: quiet });
    const texts = Array.from({ length: 450 }, (_, n) => `missed ${n}`);
    for (const text of texts) add(text);
    add("late answer", { thread_ts: root });
    slack.tiers.set("conversations.history", { calls: 2, perMs: 1500 });
    slack.requests.length = 0;
    await bus.start();
    await bus.waitForEvent("late answer", { timeoutMs: 30_000 });
    const seen = bus.events().map(({ content }) => content?.text);
    expect(seen).toEqual([...texts, "late answer"]);
    expect(bus.events("late answer")[0]).toMatchObject({ thread_id: root });
    expect(slack.requests.filter((one) => one === "conversations.replies")).toHaveLength(1);
    expect(slack.early).toBe(0);
  });

  test("what is new waits for what was missed", async () => {
    const { slack, bus } = await startSlack();
    await bus.stop();
    slack.say(general, "missed");
    const hold = Promise.withResolvers<void>();
    slack.holds = { method: "conversations.history", until: hold.promise };
    await bus.start();
    slack.say(general, "new");
    slack.say("C0RANDOM", "new elsewhere");
    await waitFor(() => slack.requests.includes("conversations.history"));
    await staysTrue(() => bus.list("inbox").length === 0, 500, "nothing delivered");
    hold.resolve();
    await bus.waitForEvent("new elsewhere");
    await bus.waitForEvent("new");
    expect(
      bus
        .events()
        .map(({ content }) => content?.text)
        .filter((text) => text !== "new elsewhere"),
    ).toEqual(["missed", "new"]);
  });

  test("names that cannot be looked up, and histories that are not shown, keep nothing away", async () => {
    const { slack, bus } = await startSlack((fresh) => {
      fresh.scopes.delete("users:read");
      fresh.scopes.delete("channels:history");
      fresh.scopes.delete("im:read");
    });
    await bus.restart();
    slack.say(general, "hello");
    const event = await bus.waitForEvent("hello");
    expect(event.sender).toMatchObject({ id: slack.ada.id, username: slack.ada.id, is_self: false });
    slack.say("D0ADA", "hello you");
    expect((await bus.waitForEvent("hello you")).conversation).toEqual({ id: "D0ADA", type: "direct" });
    await waitFor(() => /history\.refused.*(channels:history|im:read)/.test(bus.logs()), {
      message: "the log to say why",
    });
    expect(bus.connector("slack")?.state).toBe("live");
  });

  test("a file that Slack does not give out, or that lies elsewhere, is left out, and nobody else gets the token", async () => {
    const asked: unknown[] = [];
    const elsewhere = createServer((request, response) => {
      asked.push(request.headers);
      response.end("hello");
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, "localhost", resolve));
    atEnd(() => void elsewhere.close());
    const { slack, bus } = await startSlack((fresh) => fresh.scopes.delete("files:read"));
    const ours = slack.files.put(`http://${slack.publicHost}`, "ours.txt", 3, () => [Buffer.from("abc")]);
    const { port } = elsewhere.address() as AddressInfo;
    const foreign = { ...ours, name: "foreign.txt", url_private_download: `http://localhost:${port}/a` };
    slack.say(general, "two files", { subtype: "file_share", files: [ours, foreign] });
    const event = await bus.waitForEvent("two files");
    const omitted = { omitted: "unavailable" };
    expect(event.content?.attachments).toEqual([
      expect.objectContaining({ name: "ours.txt", ...omitted }),
      expect.objectContaining({ name: "foreign.txt", ...omitted }),
    ]);
    expect(asked).toEqual([]);
  });

  test("another organization's file is asked for; one of another service is told with its address", async () => {
    const { slack, bus } = await startSlack();
    const put = (name: string) =>
      slack.files.put(`http://${slack.publicHost}`, name, 3, () => [Buffer.from("abc")]);
    const { id } = put("theirs.txt");
    const hidden = { mode: "file_access", file_access: "check_file_info" } as const;
    const drive = {
      mode: "external",
      url_private: "https://drive.example/x",
      url_private_download: undefined,
    };
    const files = [
      { id, ...hidden },
      { id: "F0GONE", ...hidden },
      { ...put("doc"), ...drive },
    ];
    slack.say(general, "files", { subtype: "file_share", files } as Partial<StoredMessage>);
    const event = await bus.waitForEvent("files");
    const omitted = { omitted: "unavailable" };
    expect(event.content?.attachments).toMatchObject([
      { name: "theirs.txt", size: 3, sha256: createHash("sha256").update("abc").digest("hex") },
      { name: "F0GONE", ...omitted },
      { name: "doc", url: "https://drive.example/x", ...omitted },
    ]);
  });

  test("an app that says something in attachments only is understood", async () => {
    const { slack, bus } = await startSlack();
    const alert = { title: "Disk full", text: "<https://x.org|db1> &gt; 90%", fallback: "[alert]" };
    const app = {
      user: undefined,
      subtype: "bot_message",
      bot_id: "B0ALERTS",
      username: "alerts",
      blocks: [],
    };
    const attachments = [alert, { fallback: "see the graph" }];
    slack.say(general, "", { ...app, attachments } as unknown as Partial<StoredMessage>);
    const event = await bus.waitForEvent("Disk full\ndb1 (https://x.org) > 90%\nsee the graph");
    expect(event.sender).toMatchObject({ id: "B0ALERTS", username: "alerts", is_bot: true, is_self: false });
  });

  test("asked to connect again it does, and nothing is lost; with Socket Mode off it stops and says so, also when it is started then", async () => {
    const { slack, bus } = await startSlack();
    slack.sockets.disconnect("refresh_requested");
    slack.say(general, "meanwhile");
    await bus.waitForEvent("meanwhile", { timeoutMs: 30_000 });
    await waitFor(() => slack.requests.filter((one) => one === "apps.connections.open").length === 2);
    await bus.waitForConnector("slack", "live");
    slack.sockets.switchOff();
    const status = await bus.waitForConnector("slack", "stopped", { timeoutMs: 30_000 });
    expect(status.user_action).toContain("Switch it on");
    await bus.stop();
    await bus.start({ slack: "stopped" });
    expect(bus.connector("slack")?.user_action).toContain("Switch it on");
  });

  test("an app token without its scope stops it, and the hint says whose scope it is", async () => {
    const refusal = { method: "apps.connections.open", error: "missing_scope" };
    const { bus } = await startSlack((fresh) => void fresh.refusals.push(refusal), "stopped");
    expect(bus.connector("slack")?.user_action).toContain("App-Level Tokens");
  });

  test("no token and no secret lies in the spool or in the log", async () => {
    const { slack, bus } = await startSlack();
    slack.say(general, "hello");
    slack.sockets.emit("slash_commands", {
      token: "verification-secret",
      command: "/hi",
      channel_id: general,
    });
    await bus.waitForEvent("/hi");
    const grep = ["-rlE", `verification-secret|${botToken}|xapp-1`, bus.spool, `${bus.home}/bus.log`];
    expect(() => execFileSync("grep", grep)).toThrow(expect.objectContaining({ status: 1 }));
  });
});
