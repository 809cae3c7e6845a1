// What only Matrix has, about messages: files and formats, edits of others, media that is gone, events that somebody made up, a login that ends.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Content } from "../helpers/servers/matrixRooms.ts";
import { ada, bob, bot, name, openMatrix as open, room, sentIn, text } from "./matrix-case.ts";

test("text and files of one message are one event each, in order and in their thread, with ids of their own", async () => {
  const { server, bus } = await open();
  const root = server.say(ada, room, text("a thread")).event.event_id;
  bus.drop(name, Buffer.from("pixels"), "a.png");
  bus.drop(name, Buffer.from("words"), "b.txt");
  const attachments = [{ path: "a.png" }, { path: "b.txt", name: "grün 🌱.txt" }];
  const message = {
    conversation_id: room,
    id: "m-1",
    text: "look",
    thread_id: root,
    reply_to: root,
    attachments,
  };
  const receipt = await bus.waitForReceipt(name, bus.send(name, message));
  const sent = server.rooms
    .room(room)
    .events.filter(({ event }) => event.sender === bot && event.type === "m.room.message");
  expect(sent.map(({ event }) => event.event_id)).toEqual(receipt.platform_ids);
  expect(sent.map(({ txn }) => txn?.id)).toEqual(["m-1", "m-1~1", "m-1~2"]);
  expect(sent.map(({ event }) => [event.content.msgtype, event.content.body])).toEqual([
    ["m.text", "look"],
    ["m.image", "a.png"],
    ["m.file", "grün 🌱.txt"],
  ]);
  const relations = sent.map(({ event }) => event.content["m.relates_to"] as Content);
  const inThread = { rel_type: "m.thread", event_id: root, "m.in_reply_to": { event_id: root } };
  expect(relations).toEqual(
    [true, false, false].map((isAnswer) => ({ ...inThread, is_falling_back: !isAnswer })),
  );
  expect(server.media.of(String(sent[2]?.event.content.url))?.name).toBe("grün 🌱.txt");
  // What we sent comes back from the homeserver and is no event; what was deleted before we saw it is none either.
  await bus.stop();
  const slip = server.say(ada, room, text("a slip")).event.event_id;
  server.rooms.redact(server.rooms.room(room), ada, slip, {});
  await bus.start();
  await bus.waitForEvent((one) => one.kind === "delete");
  const kinds = bus.events().map((one) => [one.kind, one.sender?.id]);
  expect(kinds).toEqual([
    ["message", ada],
    ["delete", ada],
  ]);
});

test("markdown and HTML go out beside a plain text, and who is named is mentioned", async () => {
  const { server, bus } = await open({ notice: true });
  const send = async (format: string, body: string): Promise<Content> => {
    const id = bus.send(name, { conversation_id: room, format, text: body });
    const { platform_id } = await bus.waitForReceipt(name, id);
    return server.rooms.event(server.rooms.room(room), platform_id ?? "").event.content;
  };
  expect(await send("markdown", "**bold** <b>\n@ada:test: look")).toMatchObject({
    msgtype: "m.notice",
    body: "**bold** <b>\n@ada:test: look",
    format: "org.matrix.custom.html",
    formatted_body: "<b>bold</b> &lt;b&gt;<br>@ada:test: look",
    "m.mentions": { user_ids: ["@ada:test"] },
  });
  expect(await send("html", "<p>one</p><p>two &amp; <i>three</i></p>")).toMatchObject({
    body: "one\n\ntwo & three",
    formatted_body: "<p>one</p><p>two &amp; <i>three</i></p>",
  });
  expect(await send("plain", "git@example.org:a/b.git is no user")).toMatchObject({
    "m.mentions": { user_ids: [] },
  });
  expect(await send("plain", "/me waves")).toMatchObject({ msgtype: "m.emote", body: "waves" });
  const large = bus.send(name, { conversation_id: room, format: "html", text: "<b>x</b>".repeat(20_000) });
  expect(await bus.waitForDeadLetter(name, large)).toMatchObject({ code: "too_large" });
});

test("what clients write besides plain text: answers with a quote, captions, emotes, notices, mentions", async () => {
  const { server, bus } = await open();
  const question = server.say(ada, room, text("question")).event.event_id;
  const answers = { "m.relates_to": { "m.in_reply_to": { event_id: question } } };
  server.say(bob, room, text("> <@ada:test> question\n> more\n\nan answer", answers));
  expect(await bus.waitForEvent("an answer")).toMatchObject({ reply_to: question, mentions_me: false });
  server.say(bob, room, text("> * <@ada:test> question\n\nanother answer", answers));
  await bus.waitForEvent("another answer");
  const thread = { rel_type: "m.thread", event_id: question, "m.in_reply_to": { event_id: question } };
  for (const is_falling_back of [true, false])
    server.say(
      bob,
      room,
      text(`in the thread ${is_falling_back}`, { "m.relates_to": { ...thread, is_falling_back } }),
    );
  expect(await bus.waitForEvent("in the thread false")).toMatchObject({
    thread_id: question,
    reply_to: question,
  });
  expect(bus.events("in the thread true")[0]).not.toHaveProperty("reply_to");
  // A quote that names nobody is the sender's own.
  const own = "> what they said\n\nis wrong";
  server.say(bob, room, text(own, answers));
  expect(await bus.waitForEvent(own)).toMatchObject({ reply_to: question });
  server.say(bob, room, { msgtype: "m.emote", body: "waves" });
  await bus.waitForEvent("/me waves");
  server.say(bob, room, { msgtype: "m.notice", body: "built" });
  expect((await bus.waitForEvent("built")).sender?.is_bot).toBe(true);
  const url = server.media.add(Buffer.from("pixels"));
  server.say(bob, room, {
    msgtype: "m.image",
    body: "a caption",
    filename: "a.png",
    url,
    info: { mimetype: "image/png" },
  });
  const { content } = await bus.waitForEvent("a caption");
  const sha256 = createHash("sha256").update("pixels").digest("hex");
  expect(content?.attachments).toEqual([
    expect.objectContaining({ name: "a.png", media_type: "image/png", size: 6, sha256, url }),
  ]);
  server.say(bob, room, text("Bot: are you there?"));
  server.say(bob, room, text("psst", { "m.mentions": { user_ids: [bot] } }));
  server.say(bob, room, text("bot is only talked about", { "m.mentions": {} }));
  await bus.waitForEvent("bot is only talked about");
  const meant = ["Bot: are you there?", "psst", "bot is only talked about"].map(
    (one) => bus.events(one)[0]?.mentions_me,
  );
  expect(meant).toEqual([true, true, false]);
});

test("an edit is one only by the author of the message, and it stays in its thread", async () => {
  const { server, bus } = await open();
  const root = server.say(ada, room, text("root")).event.event_id;
  const said = server.say(
    ada,
    room,
    text("frist", { "m.relates_to": { rel_type: "m.thread", event_id: root } }),
  );
  const edit = (body: string): Content =>
    text(`* ${body}`, {
      "m.new_content": text(body),
      "m.relates_to": { rel_type: "m.replace", event_id: said.event.event_id },
    });
  server.say(bob, room, edit("forged"));
  server.say(ada, room, edit("first"));
  const event = await bus.waitForEvent("first");
  const target = { platform_id: said.event.event_id };
  expect(event).toMatchObject({
    kind: "edit",
    target,
    thread_id: root,
    platform_id: said.event.event_id,
    sender: { id: ada },
  });
  expect(bus.events((one) => one.sender?.id === bob)).toMatchObject([
    { kind: "event", raw: { sender: bob } },
  ]);
  expect(bus.events("forged")).toEqual([]);
  // Nor is one without a new text, or of what is an edit itself; and what was deleted is not told by its edits.
  const replaces = (event_id: string): Content => ({ "m.relates_to": { rel_type: "m.replace", event_id } });
  server.say(ada, room, text("* nothing", replaces(said.event.event_id)));
  const again = server.say(ada, room, edit("second")).event.event_id;
  server.say(ada, room, text("* third", { "m.new_content": text("third"), ...replaces(again) }));
  const slip = server.say(ada, room, text("the password")).event.event_id;
  await bus.waitForEvent("the password");
  await bus.stop();
  server.say(ada, room, text("* secret", { "m.new_content": text("secret"), ...replaces(slip) }));
  server.rooms.redact(server.rooms.room(room), ada, slip, {});
  await bus.start();
  await bus.waitForEvent((one) => one.kind === "delete");
  const edits = bus.events((one) => one.kind === "edit").map((one) => one.content?.text);
  expect(edits).toEqual(["first", "second"]);
  expect(bus.events((one) => one.kind === "event" && one.sender?.id === ada)).toHaveLength(2);
  expect(JSON.stringify(bus.events())).not.toContain("secret");
});

test("a file that is gone, or lies on a server that is, leaves the event without it, and what comes after it arrives", async () => {
  const { server, bus } = await open();
  server.media.unreachable.add("dead.test");
  for (const url of ["mxc://test/nothing", "mxc://dead.test/x"])
    server.say(ada, room, { msgtype: "m.file", body: "a.bin", url });
  server.say(ada, room, text("after"));
  await bus.waitForEvent("after", { timeoutMs: 30_000 });
  const files = bus
    .events((one) => one.content?.attachments !== undefined)
    .map((one) => one.content?.attachments?.[0]);
  expect(files).toEqual([
    { name: "a.bin", url: "mxc://test/nothing", omitted: "unavailable" },
    { name: "a.bin", url: "mxc://dead.test/x", omitted: "unavailable" },
  ]);
});

test("a file that was forwarded from an encrypted room is named and left out; an address that walks is none", async () => {
  const { server, bus } = await open();
  const file = { url: "mxc://test/locked", key: { alg: "A256CTR" }, iv: "x", hashes: {}, v: "v2" };
  server.say(ada, room, { msgtype: "m.image", body: "a.png", file });
  const walks = [
    "mxc://../config",
    "mxc://test/..",
    "mxc://./x",
    "mxc://test/%2e%2e",
    "mxc://test/a?b",
    "file:///x",
  ];
  for (const url of walks) server.say(ada, room, { msgtype: "m.file", body: url, url });
  server.say(ada, room, text("after"));
  await bus.waitForEvent("after");
  const [locked, ...others] = bus.events().map((one) => one.content?.attachments);
  expect(locked).toEqual([{ name: "a.png", url: "mxc://test/locked", omitted: "unavailable" }]);
  expect(others).toEqual([...walks, "after"].map(() => undefined));
  expect(server.asked.filter((asked) => asked.startsWith("GET media"))).toEqual([]);
});

test("events that somebody made up stop nothing", async () => {
  const { server, bus } = await open({ membership: true });
  const odd: unknown[] = [7, null, {}, [], "", "x".repeat(8000)];
  for (const value of odd) {
    const content = {
      body: value,
      url: value,
      info: value,
      filename: value,
      "m.mentions": value,
      "m.relates_to": value,
    };
    server.say(ada, room, content);
    server.say(ada, room, {
      ...content,
      "m.relates_to": { rel_type: "m.replace", event_id: value, "m.in_reply_to": value },
    });
    for (const type of ["m.reaction", "m.room.encrypted", "m.sticker"]) server.say(ada, room, content, type);
    server.rooms.setMember(server.rooms.room(room), ada, ada, "join", { displayname: value, reason: value });
  }
  server.say(ada, room, text("timeless")).event.origin_server_ts = 1e20;
  server.say(ada, room, text("after"));
  await bus.waitForEvent("after", { timeoutMs: 30_000 });
  expect(bus.events("timeless")[0]).not.toHaveProperty("occurred_at");
  expect(bus.logs()).not.toContain("sync.failed");
});

test("a login that ends stops it, says what to do, and the token is nowhere to be read", async () => {
  const { server, bus, token } = await open();
  server.say(ada, room, text("hello"));
  await bus.waitForEvent("hello");
  server.logins.delete(token);
  const status = await bus.waitForConnector(name, "stopped");
  expect(status.user_action).toContain("Log in anew");
  expect(status.error?.message).toContain("M_UNKNOWN_TOKEN");
  expect(bus.logs() + JSON.stringify(bus.events()) + JSON.stringify(status)).not.toContain(token);
});

test("the parts of a message have transactions that no other message can have", async () => {
  const { server, bus } = await open();
  const long = ["a", "b", "c"].map((letter) => letter.repeat(50_000)).join("\n");
  const message = { conversation_id: room, reply_to: server.say(ada, room, text("?")).event.event_id };
  await bus.waitForReceipt(name, bus.send(name, { ...message, id: "job", text: long, subject: "news" }));
  for (const id of ["job.1", "job-1", "job+1", "job=1"])
    await bus.waitForReceipt(name, bus.send(name, { conversation_id: room, id, text: id }));
  const sent = sentIn(server);
  expect(sent.map(({ body }) => String(body).slice(0, 5))).toEqual([
    ...["news\n", "bbbbb", "ccccc", "job.1", "job-1", "job+1", "job=1"],
  ]);
  expect(sent.map((one) => "m.relates_to" in one)).toEqual([true, ...Array<boolean>(6).fill(false)]);
});

test("files go out as what they are, also in an edit; stickers come in as files", async () => {
  const { server, bus } = await open();
  const files = ["a.png", "b.mp3", "c.mp4", "d.unknown"];
  for (const file of files) bus.drop(name, Buffer.from(file), file);
  const attachments = files.map((path) => ({ path }));
  await bus.waitForReceipt(name, bus.send(name, { conversation_id: room, attachments }));
  expect(sentIn(server).map(({ msgtype, info }) => [msgtype, (info as Content).mimetype])).toEqual([
    ["m.image", "image/png"],
    ["m.audio", "audio/mpeg"],
    ["m.video", "video/mp4"],
    ["m.file", "application/octet-stream"],
  ]);
  const url = server.media.add(Buffer.from("pixels"));
  server.say(ada, room, { body: "a cat", url, info: { mimetype: "image/png" } }, "m.sticker");
  const event = await bus.waitForEvent((one) => one.content?.attachments !== undefined);
  expect(event).toMatchObject({
    kind: "message",
    content: { text: "", attachments: [{ name: "a cat", size: 6 }] },
  });
  // Types of others' own are nothing to us.
  server.say(ada, room, { body: "?" }, "org.example.custom");
  server.say(ada, room, text("after"));
  await bus.waitForEvent("after");
  expect(bus.events()).toHaveLength(2);
});

test("what cannot be sent says what is missing", async () => {
  const { server, bus } = await open();
  const target = { platform_id: server.say(ada, room, text("hello")).event.event_id };
  const refusal = async (message: object) => {
    const { code, error, hint } = await bus.waitForDeadLetter(
      name,
      bus.send(name, { conversation_id: room, ...message }),
    );
    return [code, error, hint].join(" | ");
  };
  expect(await refusal({ conversation_id: "#dev:test", text: "hi" })).toMatch(
    /invalid_target .* Take conversation_id/,
  );
  expect(await refusal({ conversation_id: "..", text: "hi" })).toMatch(/invalid_target/);
  expect(await refusal({ action: "react", target })).toMatch(/invalid_message \| react needs reaction/);
  expect(await refusal({ action: "delete" })).toMatch(/delete needs target/);
  expect(await refusal({ text: " " })).toMatch(/neither text nor attachments/);
  expect(await refusal({ action: "edit", target, text: "x\n".repeat(40_000) })).toMatch(/too_large/);
  expect(await refusal({ action: "edit", target })).toMatch(/neither text nor attachments/);
  expect(await refusal({ action: "react", target: { platform_id: "$nothing" }, reaction: "x" })).toMatch(
    /unknown event/,
  );
});
