// Rooms that one is in or wants to be in, and small parts of events that anybody may have written.
import { expect, test } from "vitest";
import { isoTime } from "../../../runtime/sdk/iso-time.ts";
import { Joins } from "../../../runtime/sdk/joins.ts";
import { membershipText } from "../../../runtime/sdk/text/membership-text.ts";
import { richTexts } from "../../../runtime/sdk/text/rich-text.ts";
import { RoomBook } from "../../../runtime/sdk/matrix/room-book.ts";
import { countOf, listOf, objectOf, textAt, textOf } from "../../../runtime/sdk/untrusted.ts";
import { reconnect, reject } from "../../../runtime/sdk.ts";

function logged() {
  const lines: unknown[] = [];
  const warn = (event: string, fields?: Record<string, unknown>): void =>
    void lines.push([event, fields?.room]);
  return { lines, log: { debug() {}, info() {}, warn, error() {} } };
}

test("a room that refuses is tried again later and logged once; the others are joined", async () => {
  const { lines, log } = logged();
  const tried: string[] = [];
  const join = (room: string): Promise<void> => {
    tried.push(room);
    return room === "closed" ? Promise.reject(reject("not you")) : Promise.resolve();
  };
  const joins = new Joins({ log }, join, []);
  joins.want("closed", "open");
  await joins.run();
  await joins.run();
  joins.want("closed");
  await joins.run();
  expect(tried).toEqual(["closed", "open"]);
  expect(lines).toEqual([["room.join_failed", "closed"]]);
});

test("a lost connection ends the run, and nothing is forgotten", async () => {
  const { log } = logged();
  let isDown = true;
  const joins = new Joins(
    { log },
    () => (isDown ? Promise.reject(reconnect("gone")) : Promise.resolve()),
    [],
  );
  joins.want("a");
  await expect(joins.run()).rejects.toMatchObject({ fate: "reconnect" });
  isDown = false;
  await joins.run();
  await joins.run();
});

test("invites are followed by user, by server, or from everybody; others are logged", async () => {
  const by = async (welcome: string[], who: string): Promise<boolean> => {
    const { log, lines } = logged();
    const came: string[] = [];
    const joins = new Joins({ log }, (room) => Promise.resolve(came.push(room)), welcome);
    joins.invited("room", who);
    await joins.run();
    expect(lines).toEqual(came.length > 0 ? [] : [["invite.ignored", "room"]]);
    return came.length > 0;
  };
  expect(await by(["@ada:example.org"], "@ada:example.org")).toBe(true);
  expect(await by(["example.org:8448"], "@ada:example.org:8448")).toBe(true);
  expect(await by(["example.org"], "ada@example.org")).toBe(true);
  expect(await by(["*"], "@eve:evil.test")).toBe(true);
  expect(await by(["example.org"], "@eve:evil.example.org")).toBe(false);
  expect(await by([], "@ada:example.org")).toBe(false);
});

test("a room is called by its name, its alias or who is there; encryption is told once and never forgotten", () => {
  const { log, lines } = logged();
  const book = new RoomBook({ log });
  book.note("r", { others: ["@bob:x"], joined: 1, invited: 1 });
  expect(book.conversation("r")).toEqual({ id: "r", type: "direct", name: "@bob:x" });
  book.note("r", { joined: 3, others: undefined });
  expect(book.conversation("r")).toEqual({ id: "r", type: "group", name: "@bob:x" });
  book.note("r", { name: "Team", alias: "#team", joined: 2, invited: 0 });
  expect(book.conversation("r")).toEqual({ id: "r", type: "group", name: "Team" });
  book.note("r", { name: "" });
  expect(book.conversation("r").name).toBe("#team");
  book.demandPlain("r");
  expect(() => book.demandPlain("r", true)).toThrow("encrypted");
  for (const isEncrypted of [true, false, true]) book.note("r", { isEncrypted });
  expect(() => book.demandPlain("r")).toThrow("encrypted");
  expect(lines).toEqual([["room.encrypted", "r"]]);
  expect(book.conversation("nothing is known of it")).toMatchObject({ type: "group" });
});

test("a room that we left is not ours, but still called as it was; when we come again it is as it is then", () => {
  const book = new RoomBook(logged());
  book.note("r", { name: "Team", joined: 2, isEncrypted: true });
  book.left("r");
  book.left("never known");
  expect([book.has("r"), book.has("never known")]).toEqual([false, false]);
  expect(book.conversation("r")).toEqual({ id: "r", type: "group", name: "Team" });
  book.note("r", { others: ["@bob:x"], joined: 2 });
  expect(book.has("r")).toBe(true);
  expect(book.conversation("r")).toEqual({ id: "r", type: "direct", name: "@bob:x" });
  book.demandPlain("r");
});

test("joining goes on until the signal, and an invite that is taken back meanwhile is forgotten", async () => {
  const ending = new AbortController();
  const tried: string[] = [];
  const joins: Joins = new Joins(
    logged(),
    (room) => {
      tried.push(room);
      if (room === "late") ending.abort();
      if (room !== "gone") return Promise.resolve();
      joins.left(room, "@bob:x");
      joins.want("late");
      return Promise.reject(reject("no"));
    },
    [],
  );
  joins.want("gone");
  await joins.keepJoining(ending.signal);
  joins.want("gone");
  await joins.run();
  expect(tried).toEqual(["gone", "late", "gone"]);
});

test("text, and HTML beside it; only a plain text is cut", () => {
  expect(richTexts({ text: "a b c" }, 4)).toEqual([{ text: "a b" }, { text: "c" }]);
  expect(richTexts({ text: "**a**\nb", format: "markdown" }, 4)).toEqual([
    { text: "**a**\nb", html: "<b>a</b><br>b" },
  ]);
  expect(richTexts({ subject: "1 < 2", text: "<i>x</i>", format: "html" }, 4)).toEqual([
    { text: "1 < 2\nx", html: "1 &#60; 2<br><i>x</i>" },
  ]);
  expect(richTexts({ subject: "a\ud83d", text: "\ude00b", format: "html" }, 4)).toEqual([
    { text: "a\ufffd\n\ufffdb", html: "a\ufffd<br>\ufffdb" },
  ]);
  expect(richTexts({ text: "*a*\ud83d", format: "markdown" }, 4)).toEqual([
    { text: "*a*\ufffd", html: "<i>a</i>\ufffd" },
  ]);
  expect([richTexts({ text: " " }, 4), richTexts({ format: "html" }, 4)]).toEqual([[], []]);
});

test("what is not what it should be is as if it were not there", () => {
  const odd = [undefined, null, 7, "", [], {}, "x", -1, 1.5, NaN];
  expect(odd.map(textOf).filter(Boolean)).toEqual(["x"]);
  expect(odd.map(countOf).filter((one) => one !== undefined)).toEqual([7]);
  expect(odd.map((one) => [objectOf(one), listOf(one)])).toEqual(odd.map(() => [{}, []]));
  expect([textAt({ a: { b: "c" } }, "a", "b"), textAt({ a: "b" }, "a", "b"), textAt(null, "a")]).toEqual([
    "c",
    undefined,
    undefined,
  ]);
  expect([0, 1e12, -1, 1e20, "1", NaN].map(isoTime)).toEqual([
    ...["1970-01-01T00:00:00.000Z", "2001-09-09T01:46:40.000Z", undefined, undefined, undefined, undefined],
  ]);
});

test("who came and went is a sentence", () => {
  const said = [
    membershipText("join", "Bob", "Bob", undefined),
    membershipText("leave", "Bob", undefined, "lunch"),
    membershipText("leave", "Bob", "Ada", "enough"),
    membershipText("invite", "Bob", "Ada", undefined),
    membershipText("odd", "Bob", undefined, undefined),
    membershipText("leave", "Bob", "Bob", undefined, "invite"),
    membershipText("leave", "Bob", "Ada", undefined, "invite"),
    membershipText("leave", "Bob", "Ada", undefined, "ban"),
    membershipText("leave", "Bob", "Ada", undefined, "join"),
  ];
  expect(said).toEqual([
    "Bob joined",
    "Bob left: lunch",
    "Bob was put out by Ada: enough",
    "Bob was invited by Ada",
    "Bob odd",
    "Bob declined the invite",
    "Bob was uninvited by Ada",
    "Bob was unbanned by Ada",
    "Bob was put out by Ada",
  ]);
});
