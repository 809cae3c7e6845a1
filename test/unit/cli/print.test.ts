import { describe, expect, it } from "vitest";
import { asLines } from "../../../connectors/cli/print.ts";
import type { Outgoing } from "../../../runtime/sdk.ts";

const message = (fields: Partial<Outgoing>): Outgoing => ({
  id: "1",
  action: "message",
  conversation_id: "me",
  ...fields,
});

describe("what is sent to the console", () => {
  it("is one line with its conversation", () => {
    expect(asLines(message({ text: "hi" }))).toBe("me: hi\n");
  });

  it("keeps further lines apart from other messages", () => {
    expect(asLines(message({ text: "one\r\nother: two\n\nfour" }))).toBe(
      "me: one\n  | other: two\n  | \n  | four\n",
    );
  });

  it("lists attachments by name and path", () => {
    const attachments = [{ path: "media/3f", name: "a.pdf" }, { path: "b.txt" }];
    expect(asLines(message({ text: "see", attachments }))).toBe(
      "me: see\n  | [file a.pdf: media/3f]\n  | [file b.txt: b.txt]\n",
    );
    expect(asLines(message({ attachments: [{ path: "b.txt" }] }))).toBe("me: [file b.txt: b.txt]\n");
  });

  it("shows the other actions too", () => {
    const target = { platform_id: "7" };
    expect(asLines(message({ action: "edit", target, text: "new" }))).toBe("me: * edits 7\n  | new\n");
    expect(asLines(message({ action: "delete", target }))).toBe("me: * deletes 7\n");
    expect(asLines(message({ action: "react", target, reaction: "👍" }))).toBe("me: * reacts 👍 to 7\n");
    expect(asLines(message({ action: "typing" }))).toBe("me: * is typing\n");
  });

  it("cannot control the terminal", () => {
    const evil = "\x1b[2Jx\x07\x9b31m\u202egnp.exe\rme: ok\u2028\x7f\0";
    const line = asLines(message({ text: evil, conversation_id: "a\x1bb" }));
    expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
    expect(line).toContain("a\\x1bb: \\x1b[2Jx\\x07\\x9b31m\\u202egnp.exe\\x0dme: ok");
  });

  it("never looks like a line of JSON, which a log would take for its own", () => {
    for (const conversation_id of ['{"level":50,"x":"', "[", " {", '"', "\n{"]) {
      for (const line of asLines(message({ conversation_id, text: '"}\n{"level":50}' })).split("\n")) {
        expect(() => JSON.parse(line) as unknown).toThrow();
      }
    }
  });

  it("breaks long lines without losing or cutting a character", () => {
    const text = "x" + "😀é".repeat(5000);
    const lines = asLines(message({ text })).trimEnd().split("\n");
    expect(lines.every((line) => Buffer.byteLength(line) <= 8192)).toBe(true);
    expect(lines.map((line, i) => line.slice(i === 0 ? "me: ".length : "  | ".length)).join("")).toBe(text);
  });
});
