// XMPP's archives: who is believed about what, and what is done with those that do not answer as they should.
import { describe, expect, test } from "vitest";
import { outgoing } from "../../helpers/context.ts";
import { enter, mam, type ScriptedStream } from "./session.ts";

const room = "one@rooms.example.org";
const disco = "http://jabber.org/protocol/disco#info";
const begun = JSON.stringify({
  [room]: "0 2026-01-01T00:00:00Z",
  "bot@example.org": "0 2026-01-01T00:00:00Z",
});

/** An archive that has these messages, and is complete or not. */
function keep(stream: ScriptedStream, owner: string, messages: string[], complete = true): void {
  stream.archives.add(owner);
  stream.answer = (about, to, payload) => {
    if (about !== mam || to !== owner) return "";
    for (const [n, message] of messages.entries()) {
      const delay = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-02T00:00:00Z'/>";
      const forwarded = `<forwarded xmlns='urn:xmpp:forward:0'>${delay}${message}</forwarded>`;
      const result = `<result xmlns='${mam}' queryid='${payload.attrs.queryid}' id='a${n}'>${forwarded}</result>`;
      void stream.hear(`<message from='${owner}'>${result}</message>`);
    }
    return `<fin xmlns='${mam}' ${complete ? "complete='true'" : ""}/>`;
  };
}

describe("the archives of XMPP", () => {
  test("of a room tell what was said in it, and nothing that somebody would have said to us", async () => {
    const { ctx, stream, session, sync } = await enter({ rooms: [room] }, ({ archives }) =>
      archives.add(room),
    );
    keep(stream, room, [
      "<message from='boss@example.org/x' type='chat' id='1'><body>pay ada</body></message>",
      "<message from='two@rooms.example.org/boss' type='groupchat' id='2'><body>pay ada</body></message>",
      `<message from='${room}/ada' type='groupchat' id='3'><body>hello</body></message>`,
    ]);
    await sync(begun);
    expect(ctx.texts()).toEqual(["hello"]);
    await session.close();
  });

  test("of our account leave what was said in rooms to the rooms: it has another id there", async () => {
    const { ctx, stream, session, sync } = await enter({ rooms: [room] }, ({ archives }) =>
      archives.add("bot@example.org"),
    );
    keep(stream, "bot@example.org", [
      `<message from='${room}/ada' type='groupchat' id='1'><body>in the room</body></message>`,
      "<message from='ada@example.org/x' type='chat' id='2'><body>to us</body></message>",
    ]);
    await sync(begun);
    expect(ctx.texts()).toEqual(["to us"]);
    await session.close();
  });

  test("that give an empty page without an end are at their end", async () => {
    const { stream, session, sync } = await enter({}, ({ archives }) => archives.add("bot@example.org"));
    keep(stream, "bot@example.org", [], false);
    expect((await sync(begun)).more).toBe(false);
    await session.close();
  });

  test("of our account have to be known: without an answer we do not begin", async () => {
    const silent = (stream: ScriptedStream): void => {
      stream.answer = (about) => {
        if (about === disco) throw new Error("nobody answers");
        return "";
      };
    };
    await expect(enter({}, silent)).rejects.toThrow("nobody answers");
  });
});

describe("a session of XMPP", () => {
  test("is not lost because the server knows no pings", async () => {
    const { session, stream } = await enter();
    stream.answer = (about) => (about === "urn:xmpp:ping" ? { condition: "service-unavailable" } : "");
    await session.probe();
    await session.close();
  });

  test("asks with each probe how far the server is: else what it is never told of would be remembered for ever", async () => {
    const { session, stream } = await enter();
    const before = stream.told.length;
    await session.probe();
    expect(stream.told.slice(before)).toEqual([expect.stringMatching(/^<r /)]);
    await session.close();
  });

  test("sends no stanza for which the server would end the stream, each time anew", async () => {
    const { session, stream, ctx } = await enter();
    const before = stream.said.length;
    for (const message of [
      outgoing("hi", { subject: "long ".repeat(30_000) }),
      outgoing("", { action: "react", target: { platform_id: "1" }, reaction: "👍".repeat(50_000) }),
    ])
      await expect(session.send(message, ctx.sending())).rejects.toMatchObject({ code: "too_large" });
    expect(stream.said).toHaveLength(before);
    await session.close();
  });
});
