// What XMPP's messages become, and what ours look like: where a server, a room or somebody does what no well-behaved one does.
import { describe, expect, test } from "vitest";
import { reject } from "../../../runtime/sdk.ts";
import type { Stanza } from "../../../runtime/sdk/xmpp/stanzas.ts";
import { outgoing } from "../../helpers/context.ts";
import { enter, mam, type ScriptedStream } from "./session.ts";

const room = "one@rooms.example.org";
const ada = "ada@example.org";
const request = "<request xmlns='urn:xmpp:receipts'/>";
const target = { platform_id: "1" };

/** A session that delivers what it hears. */
async function talk(prepare?: (stream: ScriptedStream) => void): ReturnType<typeof enter> {
  const now = await enter({ rooms: [room] }, prepare);
  await now.sync();
  return now;
}

const refusal = (id: string, from = ada): string =>
  `<message type='error' from='${from}' to='bot@example.org/x' id='${id}'><error type='cancel'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`;
const messagesIn = (stream: ScriptedStream): Stanza[] => stream.said.filter(({ name }) => name === "message");

describe("what comes", () => {
  test("said in a room is only what a room of ours says: who calls it so is somebody who talks to us", async () => {
    const { ctx, stream, session } = await talk();
    await stream.hear(
      "<message type='groupchat' from='evil@example.net/bot' id='here:1'><body>done</body></message>",
    );
    expect(ctx.delivered).toMatchObject([
      {
        conversation: { id: "evil@example.net", type: "direct" },
        sender: { id: "evil@example.net", username: "evil", is_self: false },
      },
    ]);
    await session.close();
  });

  test("as an invitation is nothing, even when the server puts it into words", async () => {
    const { ctx, stream, session } = await talk();
    const invite = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='ada@example.org'/></x>";
    await stream.hear(`<message from='${room}' id='1'>${invite}<body>ada invited you</body></message>`);
    expect(ctx.delivered).toEqual([]);
    await session.close();
  });

  test("from a room itself is the room's, and an error about what we said there belongs there", async () => {
    const { ctx, stream, session } = await talk();
    await stream.hear(`<message type='groupchat' from='${room}' id='1'><body>closing soon</body></message>`);
    await stream.hear(refusal("here:late", room));
    const conversation = { id: room, type: "channel" };
    expect(ctx.delivered).toMatchObject([
      { conversation, sender: { id: room, username: undefined }, content: { text: "closing soon" } },
      { kind: "event", conversation, target: { platform_id: "here:late" }, content: { text: "forbidden" } },
    ]);
    await session.close();
  });

  test("under an id that was there before is another message, where its text is another", async () => {
    const { ctx, stream, session } = await talk();
    for (const text of ["first", "second", "first"])
      await stream.hear(`<message type='chat' from='${ada}/x' id='1'><body>${text}</body></message>`);
    expect(ctx.texts()).toEqual(["first", "second"]);
    await session.close();
  });

  test("with a request is confirmed once it is durable, whatever kind of talk it is; in a room, and without an id, never", async () => {
    const { stream, session } = await talk();
    for (const attrs of ["type='chat' id='1'", "id='2'", "type='normal' id='3'", "type='chat'"])
      await stream.hear(`<message from='${ada}/x' ${attrs}><body>hi</body>${request}</message>`);
    await stream.hear(
      `<message type='groupchat' from='${room}/ada' id='4'><body>hi</body>${request}</message>`,
    );
    const received = messagesIn(stream).map((one) => [one.attrs.to, one.getChild("received")?.attrs.id]);
    expect(received).toEqual(["1", "2", "3"].map((id) => [`${ada}/x`, id]));
    await session.close();
  });

  test("with a request and cannot be kept is not confirmed", async () => {
    const { ctx, stream, session } = await talk();
    ctx.beforeDeliver = () => {
      throw reject("no", "invalid_event");
    };
    await stream.hear(`<message type='chat' from='${ada}/x' id='1'><body>hi</body>${request}</message>`);
    expect(messagesIn(stream)).toEqual([]);
    await session.close();
  });

  test("has the archive's id by the archive's word, the last one: not every server takes away what others wrote", async () => {
    const { ctx, stream, session } = await talk(({ archives }) => archives.add("bot@example.org"));
    const ids = ["forged", "true"].map(
      (id) => `<stanza-id xmlns='urn:xmpp:sid:0' by='bot@example.org' id='${id}'/>`,
    );
    await stream.hear(`<message type='chat' from='${ada}/x' id='1'><body>hi</body>${ids.join("")}</message>`);
    expect(ctx.delivered[0]?.key).toEqual(["bot@example.org", "true"]);
    await session.close();
  });

  test("back as an error for our confirmation is no event", async () => {
    const { ctx, stream, session } = await talk();
    await stream.hear(`<message type='chat' from='${ada}/x' id='1'><body>hi</body>${request}</message>`);
    await stream.hear(refusal(messagesIn(stream)[0]?.attrs.id ?? ""));
    expect(ctx.texts()).toEqual(["hi"]);
    await session.close();
  });

  test("from an archive about a message that is a dead letter already is no event", async () => {
    const { ctx, stream, session, sync } = await talk(({ archives }) => archives.add("bot@example.org"));
    const message = outgoing("hi", { conversation_id: ada });
    stream.onSaid = ({ attrs: { id = "" } }) => void stream.hear(refusal(id));
    await expect(session.send(message, ctx.sending())).rejects.toMatchObject({ fate: "reject" });
    stream.answer = (about, _to, payload) => {
      if (about !== mam) return "";
      for (const [n, id] of [`here:${message.id}`, "here:old"].entries()) {
        const forwarded = `<forwarded xmlns='urn:xmpp:forward:0'>${refusal(id)}</forwarded>`;
        const carrier = `<result xmlns='${mam}' queryid='${payload.attrs.queryid}' id='${n}'>${forwarded}</result>`;
        void stream.hear(`<message>${carrier}</message>`);
      }
      return "";
    };
    await sync(JSON.stringify({ "bot@example.org": "0 2026-01-01T00:00:00Z" }));
    expect(ctx.delivered.map((one) => one.target)).toEqual([{ platform_id: "here:old" }]);
    await session.close();
  });
});

describe("what goes", () => {
  test("asks for a receipt where it is text; that somebody types is kept nowhere", async () => {
    const { ctx, stream, session } = await talk();
    for (const action of ["message", "edit", "react", "delete", "typing"] as const)
      await session.send(
        outgoing("hi", { action, conversation_id: ada, target, reaction: "👍" }),
        ctx.sending(),
      );
    const has = (name: string): boolean[] =>
      messagesIn(stream).map((one) => one.getChildElements().some((child) => child.name === name));
    expect(has("request")).toEqual([true, true, false, false, false]);
    expect(has("no-store")).toEqual([false, false, false, false, true]);
    await session.close();
  });

  test("about another message needs one; a reaction that is taken back is none at all", async () => {
    const { ctx, stream, session } = await talk();
    for (const action of ["edit", "react", "delete"] as const)
      await expect(
        session.send(outgoing("hi", { action, conversation_id: ada }), ctx.sending()),
      ).rejects.toMatchObject({ code: "invalid_message" });
    const back = outgoing("", { action: "react", conversation_id: ada, target, reaction: "" });
    await session.send(back, ctx.sending());
    expect(messagesIn(stream).map((one) => one.getChild("reactions")?.getChildElements())).toEqual([[]]);
    await session.close();
  });

  test("a second time is looked for first, and goes only where it is not", async () => {
    const { ctx, stream, session } = await talk(({ archives }) => archives.add("bot@example.org"));
    const [lost, there] = [
      outgoing("hi", { conversation_id: ada }),
      outgoing("hi", { conversation_id: ada }),
    ];
    stream.answer = (about, _to, payload) => {
      const message = `<message to='${ada}' type='chat' id='here:${there.id}'><body>hi</body></message>`;
      const forwarded = `<forwarded xmlns='urn:xmpp:forward:0'>${message}</forwarded>`;
      const { queryid } = payload.attrs;
      if (about === mam)
        void stream.hear(
          `<message><result xmlns='${mam}' queryid='${queryid}' id='1'>${forwarded}</result></message>`,
        );
      return "";
    };
    for (const message of [lost, there]) await session.send(message, { ...ctx.sending(), attempt: 2 });
    expect(messagesIn(stream).map(({ attrs }) => attrs.id)).toEqual([`here:${lost.id}`]);
    await session.close();
  });

  test("to a room that gives it another id is known by its origin-id when it is said", async () => {
    const { ctx, stream, session } = await talk();
    const { onSaid } = stream;
    stream.onSaid = (stanza) => {
      const { id = "" } = stanza.attrs;
      if (stanza.name === "message") stanza.attrs.id = "the-rooms-own";
      onSaid(stanza);
      stanza.attrs.id = id;
    };
    const message = outgoing("hi", { conversation_id: room });
    expect(await session.send(message, ctx.sending())).toMatchObject({ platform_id: `here:${message.id}` });
    expect(ctx.delivered).toEqual([]);
    await session.close();
  });
});
