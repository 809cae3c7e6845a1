import { expect, test } from "vitest";
import {
  answerOf,
  instead,
  numericId,
  refused,
  unanswered,
  unless,
} from "../../../../runtime/sdk/http/refusals.ts";
import { SpoolwayError } from "../../../../runtime/sdk.ts";

const advice = {
  unauthorized: "a new token",
  conflict: "end the other",
  unanswered: "is the address right?",
  hints: [[/not found/, "look"]] as const,
};

test.each([
  [429, "slow down", "rate_limited", "rate_limited", { retryAfterMs: 7000 }],
  [401, "who?", "unauthorized", "stop", { hint: "a new token" }],
  [409, "two of you", "conflict", "reconnect", { hint: "end the other" }],
  [502, "bad gateway", "timed_out", "uncertain", {}],
  [413, "no", "too_large", "reject", {}],
  [400, "message is too long", "too_large", "reject", {}],
  [400, "Bad Request: MESSAGE_TOO_LONG", "too_large", "reject", {}],
  [403, "blocked", "forbidden", "reject", {}],
  [400, "chat not found", "rejected", "reject", { hint: "look" }],
  [404, "nothing here", "rejected", "reject", {}],
])("%i %s: %s, %s", (status, words, code, fate, more) => {
  expect(refused({ status, words, retryAfterS: 7 }, advice)).toMatchObject({
    code,
    fate,
    message: words,
    ...more,
  });
});

test("no answer is uncertain, unless nobody was reached; what has a fate keeps it", () => {
  const away = new SpoolwayError("unreachable", "ECONNREFUSED");
  expect(unanswered(away, advice)).toMatchObject({ fate: "reconnect" });
  const hint = "is the address right?";
  expect(unanswered(new Error("socket hang up"), advice)).toMatchObject({ fate: "uncertain", hint });
  const missing = new SpoolwayError("attachment_missing", "gone");
  expect(unanswered(missing, advice)).toBe(missing);
});

test.each([
  [200, "<html>Welcome</html>", "timed_out", "uncertain"],
  [502, "", "timed_out", "uncertain"],
  [404, '{"error":"nothing here"}', "timed_out", "uncertain"],
  [200, "null", "timed_out", "uncertain"],
  [301, "<html>moved</html>", "disconnected", "reconnect"],
  [413, "<html>too large</html>", "too_large", "reject"],
])("something else that answers %i %s: %s, %s", async (status, text, code, fate) => {
  const isOk = (json: unknown): boolean => (json as { ok?: true } | null)?.ok === true;
  await expect(answerOf(new Response(text, { status }), isOk, advice)).rejects.toMatchObject({
    ...{ code, fate, message: expect.stringContaining(String(status)) as string },
  });
  expect(await answerOf(new Response('{"ok": true}'), isOk, advice)).toBe('{"ok": true}');
});

test("an error that says that all is as it should be passes by", async () => {
  await Promise.reject(new Error("message is not modified")).catch(unless(/not modified/));
  await expect(Promise.reject(new Error("other")).catch(unless(/not modified/))).rejects.toThrow("other");
});

test("where one way is closed, another is taken; any other error stays", async () => {
  const closed = (): Promise<string> => Promise.reject(new Error("PHOTO_INVALID_DIMENSIONS"));
  expect(await closed().catch(instead(/PHOTO_/, () => Promise.resolve("document")))).toBe("document");
  await expect(closed().catch(instead(/VOICE_/, () => Promise.resolve("no")))).rejects.toThrow("PHOTO_");
});

test("an id is a number and nothing else", () => {
  expect(numericId("17", "thread_id")).toBe(17);
  for (const text of ["", "general", "-1", "1.5", "1e3", "9".repeat(16), " 1"])
    expect(() => numericId(text, "thread_id")).toThrow("thread_id");
});
