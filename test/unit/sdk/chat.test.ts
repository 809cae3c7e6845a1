// What is said in chats: events with the identity that the platform vouches for, messages in lines that fit, words as fates.
import { describe, expect, test } from "vitest";
import { chatEvent, type ChatLine, inWords } from "../../../runtime/sdk/chat-event.ts";
import { notYet, refusedConnection } from "../../../runtime/sdk/socket/goodbye.ts";
import { lineText } from "../../../runtime/sdk/text/line-text.ts";
import { mentions } from "../../../runtime/sdk/text/mentions.ts";
import { Nick } from "../../../runtime/sdk/nick.ts";
import { plainTextOf } from "../../../runtime/sdk/text/plain-text.ts";
import { loginMissing, loginRefused, plainLogin } from "../../../runtime/sdk/socket/sasl.ts";
import { outgoing, TestContext } from "../../helpers/context.ts";

describe("a line of a chat", () => {
  const fold = (name: string): string => name.toLowerCase();
  const names = { nick: new Nick("Bot", fold, new TestContext("chat", "/", {})), fold };
  const event = (line: Partial<ChatLine>) =>
    chatEvent(
      {
        ...{ nick: "Ada", account: undefined, isBot: false, what: "hi", target: "#Dev", isRoom: true },
        ...{ id: undefined, time: undefined, replyTo: undefined, raw: {} },
        ...line,
      },
      names,
    );

  test("is an event with everything that the platform says, and nothing that it does not", () => {
    const whole = event({ id: "m1", time: "2026-11-20T23:52:00.5Z", replyTo: "m0", what: "bot: hi" });
    expect(whole).toMatchObject({
      ...{ kind: "message", key: ["#dev", "m1"], platform_id: "m1", reply_to: "m0", mentions_me: true },
      conversation: { id: "#dev", type: "channel", name: "#Dev" },
      occurred_at: "2026-11-20T23:52:00.500Z",
      sender: { id: "ada", username: "Ada", is_self: false },
    });
    const bare = JSON.parse(JSON.stringify(event({ id: "", time: "yesterday", replyTo: "" }))) as object;
    expect(Object.keys(bare).sort()).toEqual(
      ["kind", "conversation", "sender", "mentions_me", "content", "raw"].sort(),
    );
  });

  test("names its sender by the account where there is one, which no nick can look like", () => {
    expect(event({ account: "ada" }).sender?.id).toBe("account:ada");
    expect(event({ nick: "account:ada" }).sender?.id).not.toBe("account:ada");
  });

  test("of a private talk belongs to the other one, whoever of both says it", () => {
    const said = { target: "bot", isRoom: false };
    expect(event(said).conversation).toEqual({ id: "ada", type: "direct", name: "Ada" });
    expect(event({ target: "Ada", isRoom: false, nick: "bot" })).toMatchObject({
      conversation: { id: "ada" },
      sender: { is_self: true },
    });
  });

  test("may be somebody who comes or goes; what is everywhere has no conversation", () => {
    const joined = event({ what: { deed: "joined", who: "Ada", room: "#Dev" }, id: "m2" });
    expect(joined).toMatchObject({ kind: "membership", key: ["#dev", "m2"], conversation: { id: "#dev" } });
    const quit = event({ what: { deed: "quit", who: "Ada", why: "bye" }, id: "m3", target: "bye" });
    expect(quit).toMatchObject({ key: ["", "m3"], content: { text: "Ada quit: bye" } });
    expect([quit.conversation, quit.mentions_me]).toEqual([undefined, undefined]);
    expect(inWords({ deed: "kicked", who: "eve", room: "#dev", by: "ada" })).toBe("eve was kicked by ada");
    expect(inWords({ deed: "left", who: "eve", room: "#dev", why: "lunch" })).toBe("eve left: lunch");
    expect(inWords({ deed: "renamed", who: "eve", now: "eva" })).toBe("eve is now eva");
  });
});

test.each([
  ["bot: hello", true],
  ["hello bot", true],
  ["is bot, or robot, meant?", true],
  ["robot", false],
  ["bots", false],
  ["bot_", false],
  ["bot-2 is another", false],
  ["привет,bot!", true],
  ["ябot", false],
  ["", false],
])("%j mentions bot: %s", (text, expected) => {
  expect(mentions(text, "bot")).toBe(expected);
  expect(mentions(text, "")).toBe(false);
});

describe("a message for a platform with text only", () => {
  test("is its subject and its text; what cannot be said is refused", () => {
    expect(plainTextOf(outgoing("text", { subject: "subject" }), "IRC")).toBe("subject\ntext");
    const refused = (more: object) => {
      try {
        return plainTextOf(outgoing("x", more), "IRC");
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(refused({ action: "edit" })).toBe("not_supported");
    expect(refused({ attachments: [{ name: "a", path: "media/a" }] })).toBe("not_supported");
    expect(refused({ text: " \n\t" })).toBe("invalid_message");
  });

  const limits = { platform: "IRC", maxBytes: 100, maxLines: 3, forbidden: /[\0\x01]/g };

  test("is lines that fit, without what means something on the wire", () => {
    const { lines, isAction } = lineText(outgoing(`a\n\n${"é".repeat(60)}\0`), limits);
    expect(lines).toEqual(["a", "é".repeat(50), `${"é".repeat(10)}\ufffd`]);
    expect(isAction).toBe(false);
    expect(lineText(outgoing("/me waves"), limits)).toEqual({ lines: ["waves"], isAction: true });
  });

  test.each([
    ["invalid_target", { conversation_id: "#a,#b" }],
    ["invalid_target", { conversation_id: "a b" }],
    ["invalid_target", { conversation_id: "a\r\nQUIT" }],
    ["invalid_target", { conversation_id: ":a" }],
    ["invalid_target", { conversation_id: "" }],
    ["too_large", { text: "a\nb\nc\nd" }],
  ])("is refused as %s: %j", (code, more) => {
    expect(() => lineText(outgoing("x", more), limits)).toThrow(
      expect.objectContaining({ code, fate: "reject" }),
    );
  });

  test("is refused when its target leaves no room for a text", () => {
    expect(() => lineText(outgoing("x"), { ...limits, maxBytes: 63 })).toThrow(/too long/);
  });
});

describe("words of refusal", () => {
  test.each([
    ["You are banned from this server", "stop", "banned"],
    ["K-lined: spam", "stop", "banned"],
    ["G-line: No bots here", "stop", "banned"],
    ["Bad password", "stop", "unauthorized"],
    ["You are not authorized to connect", "stop", "banned"],
    ["Throttled: Reconnecting too fast, you may be banned", "reconnect", "disconnected"],
    ["No more connections allowed, try again later", "reconnect", "disconnected"],
    ["Ping timeout", "reconnect", "disconnected"],
    ["Server going down", "reconnect", "disconnected"],
  ])("%j: %s", (words, fate, code) => {
    const error = refusedConnection("irc.example.org:6697", words, false);
    expect(error).toMatchObject({ fate, code, message: expect.stringContaining(words) });
    if (fate === "stop") expect(error.hint).toMatch(/connectors\.yml/);
  });

  test("that ask to wait say how long, or it is a minute", () => {
    expect(notYet("#dev2", "wait 17 seconds")).toMatchObject({ fate: "retry", retryAfterMs: 17_000 });
    expect(notYet("#dev2", "slow down")).toMatchObject({ retryAfterMs: 60_000 });
  });
});

test("a SASL login is told by its config, and its failure by what to do", () => {
  const sasl = { mechanism: "PLAIN", password: "secret\n" } as const;
  expect(plainLogin(sasl, "bot")).toEqual({ account: "bot", password: "secret" });
  expect(plainLogin({ ...sasl, account: "b" }, "bot")?.account).toBe("b");
  expect(plainLogin({ mechanism: "EXTERNAL" }, "bot")).toBeUndefined();
  expect(plainLogin(undefined, "bot")).toBeUndefined();
  const refused = loginRefused("host:1", sasl, "bad");
  expect(refused).toMatchObject({ fate: "stop", hint: expect.stringContaining("sasl.password") });
  expect(JSON.stringify([refused, refused.message])).not.toContain("secret");
  expect(loginMissing("host:1")).toMatchObject({ fate: "reconnect", hint: expect.stringContaining("sasl:") });
});
