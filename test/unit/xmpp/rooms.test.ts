// Being in XMPP's rooms when their service does not behave, or somebody pretends to be one.
import { describe, expect, test } from "vitest";
import type { Stanza } from "../../../runtime/sdk/xmpp/stanzas.ts";
import { outgoing } from "../../helpers/context.ts";
import { waitFor } from "../../helpers/wait.ts";
import { enter, presence, type ScriptedStream } from "./session.ts";

const [one, two] = ["one@rooms.example.org", "two@rooms.example.org"];
const ping = "urn:xmpp:ping";
const disco = "http://jabber.org/protocol/disco#info";
const joinsOf = (stream: ScriptedStream, room: string): Stanza[] =>
  stream.said.filter(({ name, attrs }) => name === "presence" && attrs.to === `${room}/bot`);
const historyOf = (join: Stanza | undefined): Record<string, string | undefined> | undefined =>
  join?.getChild("x")?.getChild("history")?.attrs;

describe("the rooms of XMPP", () => {
  test("that do not answer a ping keep no other waiting, and not the connection", async () => {
    const { session, stream } = await enter({ rooms: [one, two] });
    stream.answer = (about, to) => (about === ping && to.startsWith(one) ? undefined : "");
    session.probe().catch(() => undefined);
    await waitFor(() => stream.asked.some(({ about, to }) => about === ping && to === `${two}/bot`));
    await session.close();
  });

  test.each([
    ["service-unavailable", 1],
    ["feature-not-implemented", 1],
    ["remote-server-timeout", 1],
    ["not-acceptable", 2],
    ["item-not-found", 2],
  ])("that answer a ping with %s are entered %i times", async (condition, times) => {
    const { session, stream, ctx } = await enter({ rooms: [one] });
    stream.answer = (about, to) => (about === ping && to === `${one}/bot` ? { condition } : "");
    await session.probe();
    stream.answer = () => "";
    await session.send(outgoing("hi", { conversation_id: one }), ctx.sending());
    expect(joinsOf(stream, one)).toHaveLength(times);
    await session.close();
  });

  test("are only those of the config: nobody else can have himself pinged by saying that we are in his", async () => {
    const { session, stream } = await enter({ rooms: [one] });
    await stream.hear(presence("evil@example.net/bot"));
    await session.probe();
    expect(stream.asked.filter(({ about }) => about === ping).map(({ to }) => to)).toEqual([
      "example.org",
      `${one}/bot`,
    ]);
    await session.close();
  });

  test("are not left with another nick", async () => {
    const { session, stream, ctx } = await enter({ rooms: [one] });
    const renamed = presence(`${one}/bot`, 303).replace("<presence", "<presence type='unavailable'");
    await stream.hear(renamed);
    await stream.hear(presence(`${one}/bot2`));
    expect(ctx.logged("xmpp.channel_left")).toEqual([]);
    await session.close();
  });

  test("are entered once, however often they are named", async () => {
    const { session, stream, ctx } = await enter({ rooms: [one, one.toUpperCase(), { name: one }] });
    await session.send(outgoing("hi", { conversation_id: one }), ctx.sending());
    expect(joinsOf(stream, one)).toHaveLength(1);
    await session.close();
  });

  test("that do not know us when something is said are entered, and then it is said again", async () => {
    const { session, stream, ctx } = await enter({ rooms: [one] });
    const { onSaid } = stream;
    stream.onSaid = (stanza) => {
      const { id = "", to = "", type } = stanza.attrs;
      if (type !== "groupchat") return onSaid(stanza);
      const error = `<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`;
      void stream.hear(`<message type='error' from='${to}' id='${id}'>${error}</message>`);
    };
    const message = outgoing("hi", { conversation_id: one });
    await expect(session.send(message, ctx.sending())).rejects.toMatchObject({ fate: "retry" });
    stream.onSaid = onSaid;
    await expect(session.send(message, ctx.sending())).resolves.toMatchObject({
      platform_id: `here:${message.id}`,
    });
    expect(joinsOf(stream, one)).toHaveLength(2);
    await session.close();
  });

  test("whose archive is not known are not entered: what they say could come twice", async () => {
    const { session, stream, ctx } = await enter({ rooms: [one, two] }, (stream) => {
      stream.answer = (about, to) => {
        if (about === disco && to === one) throw new Error("nobody answers");
        return "";
      };
    });
    expect([joinsOf(stream, one).length, joinsOf(stream, two).length]).toEqual([0, 1]);
    expect(ctx.logged("xmpp.join_failed")[0]?.fields).toMatchObject({ reason: "nobody answers" });
    await session.close();
  });

  test("that we made tell what they have once they are open: their archive is read from then on", async () => {
    let isOpen = false;
    const { session, stream, sync } = await enter({ rooms: [one] }, (stream) => {
      stream.archives.add(one);
      stream.answer = (about) => {
        if (about.endsWith("#owner")) isOpen = true;
        return about === disco && !isOpen ? { condition: "item-not-found" } : "";
      };
      stream.onSaid = ({ attrs: { to = "" } }) => void (to && stream.hear(presence(to, 201)));
    });
    expect(JSON.parse((await sync()).cursor)).toHaveProperty([one]);
    expect(joinsOf(stream, one)).toHaveLength(1);
    await session.close();
  });

  test("tell what was said since we were last in them, each for itself; one with an archive does so only when the session has begun", async () => {
    const values = new Map<string, unknown>();
    const first = await enter({ rooms: [one, two] }, undefined, values);
    expect(historyOf(joinsOf(first.stream, one)[0])).toEqual({ maxstanzas: "0" });
    await first.session.probe();
    await first.session.close();

    // Two lets nobody in for hours, while one is well.
    const hoursAgo = Date.now() - 7_200_000;
    values.set("present_at", { ...(values.get("present_at") as object), [two]: hoursAgo });
    const second = await enter(
      { rooms: [one, two], retry_s: 0.02 },
      (stream) => stream.archives.add(one),
      values,
    );
    const kick = (room: string): string =>
      presence(`${room}/bot`, 307).replace("<presence", "<presence type='unavailable'");
    expect(historyOf(joinsOf(second.stream, one)[0])).toEqual({ maxstanzas: "0" });
    const sinceOf = (join: Stanza | undefined): number => Date.parse(historyOf(join)?.since ?? "");
    expect(sinceOf(joinsOf(second.stream, two)[0])).toBeCloseTo(hoursAgo - 60_000, -2);
    await second.stream.hear(kick(two));
    await second.session.probe();
    expect(values.get("present_at")).toMatchObject({ [two]: hoursAgo });
    await second.stream.hear(kick(one));
    const running = second.session.run().catch(() => undefined);
    await waitFor(() => joinsOf(second.stream, one).length === 2);
    expect(sinceOf(joinsOf(second.stream, one)[1])).toBeGreaterThan(hoursAgo);
    await second.session.close();
    await running;
  });
});
