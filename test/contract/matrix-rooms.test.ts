// What only Matrix has, about rooms: gaps in what the homeserver tells, invites by policy, what was said before us, encryption, another account.
import { expect, test } from "vitest";
import type { InboundEvent } from "../../schema/types.ts";
import { type Bus, startBus } from "../helpers/bus.ts";
import { atEnd } from "../helpers/children.ts";
import { MatrixHomeserver } from "../helpers/servers/matrixHomeserver.ts";
import { waitFor } from "../helpers/wait.ts";

const [ada, bob, bot] = ["@ada:test", "@bob:test", "@bot:test"];
const name = "matrix";

async function open(
  entry: object = {},
): Promise<{ server: MatrixHomeserver; bus: Bus; connectors: object[] }> {
  const server = new MatrixHomeserver();
  await server.start();
  atEnd(() => server.stop());
  server.rooms.create("dev", [ada, bot], { name: "Development" });
  const access_token = server.logIn("bot", "BUS");
  const runtime = { sync_every: "50ms", sync_limit: 5, probe_every: "2s" };
  const connectors = [
    { name, type: "matrix", homeserver: server.url, access_token, poll_s: 1, runtime, ...entry },
  ];
  return { server, bus: await startBus({ connectors }), connectors };
}

const say = (server: MatrixHomeserver, body: string, room = "!dev:test", user = ada): string =>
  server.say(user, room, { msgtype: "m.text", body }).event.event_id;
const textsOf = (events: InboundEvent[]): string[] => events.map((event) => event.content?.text ?? "");

test("what the homeserver leaves out of its answer is read page by page, in order and once, in every room", async () => {
  const { server, bus } = await open();
  server.rooms.create("ops", [ada, bot]);
  say(server, "first");
  await bus.waitForEvent("first");
  await bus.stop();
  const missed = Array.from({ length: 23 }, (_, n) => `missed ${n}`);
  for (const text of missed) {
    say(server, text);
    say(server, `${text} in ops`, "!ops:test");
  }
  await bus.start();
  await bus.waitForEvent("missed 22 in ops", { timeoutMs: 30_000 });
  await bus.waitForEvent("missed 22", { timeoutMs: 30_000 });
  const inRoom = (id: string) => textsOf(bus.events((event) => event.conversation?.id === id));
  expect(inRoom("!dev:test")).toEqual(["first", ...missed]);
  expect(inRoom("!ops:test")).toEqual(missed.map((text) => `${text} in ops`));
  expect(bus.events("missed 3")[0]?.sender).toMatchObject({ id: ada, display_name: "Ada" });
});

test("what was said before the first start is no event; names and kinds of rooms are known from the start", async () => {
  const { server, bus } = await open();
  const direct = server.rooms.create("direct", [bob, bot]);
  say(server, "hello", direct.id, bob);
  say(server, "hello in dev");
  expect((await bus.waitForEvent("hello in dev")).conversation).toEqual({
    id: "!dev:test",
    type: "group",
    name: "Development",
  });
  expect((await bus.waitForEvent("hello")).conversation).toEqual({
    id: direct.id,
    type: "direct",
    name: bob,
  });
  const late = await open();
  await late.bus.stop();
  say(late.server, "old");
  const again = await startBus({ connectors: late.connectors as Array<Record<string, unknown>> });
  say(late.server, "new");
  await again.waitForEvent("new");
  expect(textsOf(again.events())).toEqual(["new"]);
});

test("invites are followed by policy; in the new room what was said before the invite is no event, what was said after it is", async () => {
  const { server, bus } = await open({
    accept_invites: ["@bob:test"],
    runtime: { sync_every: "50ms", sync_limit: 15 },
  });
  const [secret, team] = [server.rooms.create("secret", [ada]), server.rooms.create("team", [bob])];
  for (let n = 0; n < 12; n += 1) say(server, `history ${n}`, team.id, bob);
  server.rooms.setMember(secret, ada, bot, "invite");
  server.rooms.setMember(team, bob, bot, "invite");
  for (let n = 0; n < 8; n += 1) say(server, `after the invite ${n}`, team.id, bob);
  await bus.waitForEvent("after the invite 7", { timeoutMs: 30_000 });
  say(server, "welcome", team.id, bob);
  await bus.waitForEvent("welcome");
  const texts = textsOf(bus.events((event) => event.conversation?.id === team.id));
  expect(texts).toEqual([...Array.from({ length: 8 }, (_, n) => `after the invite ${n}`), "welcome"]);
  expect(secret.membership(bot)).toBe("invite");
  expect(bus.logs()).toContain('"event":"invite.ignored","room":"!secret:test","by":"@ada:test"');
});

test("rooms of the config are joined, by alias too; one that refuses is logged and takes no other down", async () => {
  const server = new MatrixHomeserver();
  await server.start();
  atEnd(() => server.stop());
  server.rooms.create("open", [ada], { isPublic: true }).aliases.add("#open:test");
  server.rooms.create("closed", [ada]);
  const access_token = server.logIn("bot", "BUS");
  const runtime = { sync_every: "50ms" };
  const rooms = ["!closed:test", "#open:test"];
  const bus = await startBus({
    connectors: [
      { name, type: "matrix", homeserver: `${server.url}/`, access_token, poll_s: 1, runtime, rooms },
    ],
  });
  await waitFor(() => server.rooms.room("#open:test").membership(bot) === "join");
  say(server, "hello", "!open:test");
  await bus.waitForEvent("hello");
  expect(bus.logs()).toMatch(
    /room\.join_failed","room":"!closed:test","error":"403 M_FORBIDDEN: You are not invited/,
  );
});

test("put out of a room: logged, and a drop for it is a dead letter with the homeserver's words", async () => {
  const { server, bus } = await open({ membership: true });
  const dev = server.rooms.room("!dev:test");
  // In one answer, since nothing is awaited between them: of both is still known where it was.
  say(server, "last words");
  server.rooms.setMember(dev, ada, bot, "leave", { reason: "enough" });
  const conversation = { id: dev.id, type: "group", name: "Development" };
  expect(await bus.waitForEvent("last words")).toMatchObject({ conversation });
  expect(await bus.waitForEvent("Bot was put out by Ada: enough")).toMatchObject({ conversation });
  expect(bus.logs()).toContain('"event":"room.left","room":"!dev:test","by":"@ada:test"');
  const id = bus.send(name, { conversation_id: "!dev:test", text: "still there?" });
  const dead = await bus.waitForDeadLetter(name, id);
  expect(dead.error).toContain("M_FORBIDDEN: User @bot:test not in room !dev:test");
  expect(dead.hint).toContain("Invite the account");
});

test("who comes and goes is told in words, with the names of those who have left", async () => {
  const { server, bus } = await open({ membership: true });
  const dev = server.rooms.room("!dev:test");
  const deeds: Array<[by: string, membership: string]> = [
    [ada, "invite"],
    [ada, "leave"],
    [ada, "invite"],
    [bob, "leave"],
    [ada, "ban"],
    [ada, "leave"],
    [bob, "knock"],
    [bob, "join"],
    [bob, "leave"],
  ];
  for (const [by, membership] of deeds) server.rooms.setMember(dev, by, bob, membership);
  await bus.waitForEvent("Bob left");
  expect(textsOf(bus.events())).toEqual([
    ...[
      "Bob was invited by Ada",
      "Bob was uninvited by Ada",
      "Bob was invited by Ada",
      "Bob declined the invite",
    ],
    ...["Bob was banned by Ada", "Bob was unbanned by Ada", "Bob asks to come in", "Bob joined", "Bob left"],
  ]);
});

test("what was said in a room until we were put out of it, while away, comes with the room's id alone", async () => {
  const { server, bus } = await open();
  await bus.stop();
  say(server, "last words");
  server.rooms.setMember(server.rooms.room("!dev:test"), ada, bot, "leave");
  await bus.start();
  const { conversation } = await bus.waitForEvent("last words");
  expect(conversation).toEqual({ id: "!dev:test", type: "group" });
});

test("an encrypted room is reported, what is said there is an event without text of its own, and nothing is sent there in the clear", async () => {
  const { server, bus } = await open();
  const room = server.rooms.room("!dev:test");
  // Not a state event: anybody could send it, and it means nothing.
  server.say(ada, room.id, { algorithm: "none" }, "m.room.encryption");
  say(server, "in the clear");
  await bus.waitForEvent("in the clear");
  await bus.waitForReceipt(name, bus.send(name, { conversation_id: room.id, text: "fine" }));
  server.rooms.add(room, ada, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" }, "");
  server.say(ada, room.id, { algorithm: "m.megolm.v1.aes-sha2", ciphertext: "x" }, "m.room.encrypted");
  const event = await bus.waitForEvent((one) => one.kind === "event");
  expect(event.content?.text).toContain("cannot be read");
  const refused = { code: "not_supported", error: "the room is encrypted" };
  const drop = () => bus.send(name, { conversation_id: room.id, text: "secret" });
  expect(await bus.waitForDeadLetter(name, drop())).toMatchObject(refused);
  expect(bus.logs()).toContain('"event":"room.encrypted","room":"!dev:test"');
  await bus.restart();
  expect(await bus.waitForDeadLetter(name, drop())).toMatchObject(refused);
  expect(JSON.stringify(room.events)).not.toContain("secret");
});

test("with another account it begins anew instead of using a token that is not its own", async () => {
  const { server, bus, connectors } = await open();
  say(server, "for the bot");
  await bus.waitForEvent("for the bot");
  await bus.stop();
  const room = server.rooms.create("other", [ada, "@cleo:test"]);
  say(server, "before cleo's start", room.id);
  bus.configure(connectors.map((one) => ({ ...one, access_token: server.logIn("cleo", "BUS") })));
  await bus.start();
  await waitFor(
    () => {
      say(server, "for cleo", room.id);
      return bus.events("for cleo").length > 0;
    },
    { everyMs: 300, timeoutMs: 30_000 },
  );
  expect(bus.events("before cleo's start")).toEqual([]);
});
