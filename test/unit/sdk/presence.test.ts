// Rooms, Nick and Presence: being where one is wanted, and knowing why one is not.
import { beforeEach, describe, expect, test } from "vitest";
import { Nick } from "../../../runtime/sdk/nick.ts";
import { Presence } from "../../../runtime/sdk/presence.ts";
import { type Room, Rooms } from "../../../runtime/sdk/rooms.ts";
import { TestContext } from "../../helpers/context.ts";

const fold = (name: string): string => name.toLowerCase();
const isSame = (room: string, name: string): boolean => fold(room) === fold(name);
let ctx: TestContext<{ nick: string; channels: Array<string | Room> }>;

beforeEach(() => {
  ctx = new TestContext("chat", "/", { nick: "bot", channels: ["dev", { name: "#ops", key: "sesame" }] });
});

describe("rooms", () => {
  test("that one is not in are asked for, with their keys, and not again when one is", async () => {
    const asked: Room[][] = [];
    const join = async (rooms: Room[]): Promise<void> => void asked.push(rooms);
    const rooms = new Rooms(["#dev", { name: "#ops", key: "sesame" }], ctx, { isSame, join });
    await rooms.restore();
    rooms.entered("#DEV");
    await rooms.restore();
    rooms.entered("#ops");
    await rooms.restore();
    expect(asked).toEqual([
      [{ name: "#dev" }, { name: "#ops", key: "sesame" }],
      [{ name: "#ops", key: "sesame" }],
    ]);
  });

  test("are needed: it is asked once more, then it is a retry with the reason", async () => {
    let isOpen = false;
    const join = async (): Promise<void> => (isOpen ? rooms.entered("#dev") : rooms.refused("#Dev", "full"));
    const rooms = new Rooms(["#dev"], ctx, { isSame, join });
    await expect(rooms.need("#dev")).rejects.toMatchObject({ fate: "retry", message: "not in #dev: full" });
    isOpen = true;
    await rooms.need("#dev");
    await rooms.need("#elsewhere"); // none of ours
    expect(rooms.absence("#dev")).toBeUndefined();
  });

  test("that nobody let one into say so before any answer", () => {
    const rooms = new Rooms(["#dev"], ctx, { isSame, join: async () => undefined });
    expect(rooms.absence("#dev")?.message).toMatch(/no answer/);
  });

  test("are logged when they are left or refused: each reason once, and none for others", () => {
    const rooms = new Rooms(["#dev"], ctx, { isSame, join: async () => undefined });
    rooms.entered("#dev");
    rooms.refused("#dev", "not about joining: we are in it");
    rooms.left("#dev", "kicked by eve");
    rooms.left("#dev", "kicked by eve");
    rooms.refused("#dev", "banned");
    rooms.left("#elsewhere", "kicked by eve");
    expect(ctx.lines.map(({ event, fields }) => [event, fields.channel, fields.reason])).toEqual([
      ["chat.channel_left", "#dev", "kicked by eve"],
      ["chat.join_failed", "#dev", "banned"],
    ]);
  });
});

describe("a nick", () => {
  test("that is taken is replaced, and logged when it is taken and when it is ours again", () => {
    const nick = new Nick("Bot", fold, ctx);
    nick.now("bot");
    expect(ctx.lines).toEqual([]);
    nick.now("Bot_");
    expect([nick.current, nick.isWanted, nick.is("BOT_"), nick.is("bot")]).toEqual([
      "Bot_",
      false,
      true,
      false,
    ]);
    nick.now("bot");
    expect(ctx.lines.map(({ level, event }) => [level, event])).toEqual([
      ["warn", "chat.nick_taken"],
      ["info", "chat.nick_recovered"],
    ]);
  });

  test("has others like it, short ones too, but not for ever", () => {
    const nick = new Nick("averylongname", fold, ctx);
    expect(nick.another()).toBe("averylongname_");
    for (let n = 0; n < 3; n += 1) expect(nick.another()).toMatch(/^averyl\d{3}$/);
    expect(() => nick.another()).toThrow(/taken/);
  });
});

describe("presence", () => {
  let written: string[];
  let presence: Presence;

  beforeEach(() => {
    written = [];
    const link = {
      write: (line: string) => void written.push(line),
      exchange: async (lines: readonly string[] = []) => void written.push(...lines),
    };
    presence = new Presence(link, ctx, {
      fold,
      roomName: (name) => (name.startsWith("#") ? name : `#${name}`),
      rename: (nick) => `NICK ${nick}`,
      join: ({ name, key = "" }) => `JOIN ${name} ${key}`,
    });
  });

  test("asks for the nick and the rooms that are missing", async () => {
    presence.nick.now("bot_");
    await presence.restore();
    expect(written).toEqual(["NICK bot", "JOIN #dev", "JOIN #ops sesame"]);
    presence.follow({ deed: "renamed", who: "bot_", now: "bot" });
    presence.follow({ deed: "joined", who: "bot", room: "#dev" });
    presence.follow({ deed: "joined", who: "bot", room: "#ops" });
    written.length = 0;
    await presence.restore();
    expect(written).toEqual([]);
  });

  test("follows what is said of us, and nobody else", () => {
    presence.follow({ deed: "joined", who: "eve", room: "#dev" });
    expect(presence.rooms.absence("#dev")).toBeDefined();
    presence.follow({ deed: "joined", who: "BOT", room: "#Dev" });
    presence.follow({ deed: "kicked", who: "eve", by: "bot", room: "#dev", why: "spam" });
    presence.follow({ deed: "renamed", who: "eve", now: "eva" });
    presence.follow(undefined);
    expect([presence.rooms.absence("#dev"), presence.nick.current]).toEqual([undefined, "bot"]);
    presence.follow({ deed: "kicked", who: "bot", by: "eve", room: "#dev", why: "spam" });
    expect(presence.rooms.absence("#dev")?.message).toBe("not in #dev: kicked by eve: spam");
  });

  test("tries another nick while the wanted one is taken", () => {
    presence.tryAnotherNick();
    expect(written).toEqual(["NICK bot_"]);
  });
});
