import { describe, expect, it } from "vitest";
import { draftFromShorthand } from "../../../runtime/shorthand.ts";

describe("the short form of an event", () => {
  it("puts text, conversation_id and sender where they belong", () => {
    expect(draftFromShorthand({ text: "hi", conversation_id: "#dev", sender: "ada", key: "1" })).toEqual({
      content: { text: "hi" },
      conversation: { id: "#dev" },
      sender: { id: "ada" },
      key: ["1"],
    });
  });

  it("mixes with the fields of an inbound event", () => {
    const draft = draftFromShorthand({
      text: "hi",
      content: {
        format: "markdown",
        attachments: [
          { name: "a.txt", base64: "aGk=" },
          { name: "b", url: "https://b" },
        ],
      },
      conversation: { name: "#dev" },
      conversation_id: "C1",
      sender: { id: 42, is_bot: true },
      kind: "edit",
      target: { platform_id: 7 },
      platform_id: 8,
      occurred_at: "2026-11-20T23:52:00Z",
      raw: [1],
    });
    expect(draft).toEqual({
      content: {
        text: "hi",
        format: "markdown",
        attachments: [
          { name: "a.txt", data: Buffer.from("hi") },
          { name: "b", url: "https://b" },
        ],
      },
      conversation: { id: "C1", name: "#dev" },
      sender: { id: "42", is_bot: true },
      kind: "edit",
      target: { platform_id: "7" },
      platform_id: "8",
      occurred_at: "2026-11-20T23:52:00Z",
      raw: [1],
    });
  });

  it("takes null for absent, and numbers as ids", () => {
    expect(
      draftFromShorthand({ text: "hi", thread_id: null, sender: null, conversation_id: 5, key: ["a", 6] }),
    ).toEqual({
      content: { text: "hi" },
      conversation: { id: "5" },
      key: ["a", "6"],
    });
  });

  it("refuses keys that an event does not have, or keeps everything in raw", () => {
    expect(() => draftFromShorthand({ txt: "hi" })).toThrow(
      /unknown key "txt": expected text, conversation_id/,
    );
    const given = { text: "hi", temperature: 3 };
    expect(draftFromShorthand(given, "raw")).toEqual({ content: { text: "hi" }, raw: given });
    expect(draftFromShorthand({ ...given, raw: "mine" }, "raw").raw).toBe("mine");
  });

  it("accepts an event without any text", () => {
    expect(draftFromShorthand({ kind: "typing", conversation_id: "c" })).toEqual({
      kind: "typing",
      conversation: { id: "c" },
    });
    expect(draftFromShorthand({})).toEqual({});
  });

  it.each([
    [{ text: 5 }, "content.text must be string"],
    [{ content: [] }, "content.text must be string"],
    [{ sender: { name: "ada" } }, "sender must have required property 'id'"],
    [{ sender: { id: "a", nick: "b" } }, "sender must NOT have additional properties (nick)"],
    [{ sender: 1.5 }, "sender.id must be string"],
    [{ kind: "shout" }, "kind must be equal to one of the allowed values (message, edit,"],
    [{ occurred_at: "yesterday" }, 'occurred_at must match format "date-time"'],
    [{ mentions_me: "yes" }, "mentions_me must be boolean"],
    [{ conversation: { id: "a" }, conversation_id: "b" }, "conversation.id and its short form differ"],
    [{ text: "a", content: { text: "b" } }, "content.text and its short form differ"],
    [{ key: [] }, "key: expected a string or a list of strings"],
    [{ key: { a: 1 } }, "key: expected a string or a list of strings"],
    [{ content: { attachments: {} } }, "content.attachments: expected a list"],
    [{ content: { attachments: [{}] } }, "content.attachments[0].name: expected a file name"],
    [
      { content: { attachments: [{ name: "a", path: "/etc/passwd" }] } },
      'content.attachments[0]: unknown key "path"',
    ],
    [
      { content: { attachments: [{ name: "a", base64: "no base64!" }] } },
      "content.attachments[0].base64: expected standard base64",
    ],
  ])("names the mistake in %j", (fields, message) => {
    expect(() => draftFromShorthand(fields)).toThrow(
      expect.objectContaining({ code: "invalid_event", fate: "reject" }),
    );
    expect(() => draftFromShorthand(fields)).toThrow(message);
  });
});
