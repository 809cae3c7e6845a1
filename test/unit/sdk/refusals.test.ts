import { expect, test } from "vitest";
import { numericId, refused, unanswered, unless } from "../../../runtime/sdk/refusals.ts";
import { SpoolwayError } from "../../../runtime/sdk.ts";

const advice = {
  unauthorized: "a new token",
  conflict: "end the other",
  hints: [[/not found/, "look"]] as const,
};

test.each([
  [429, "slow down", "rate_limited", "rate_limited", { retryAfterMs: 7000 }],
  [401, "who?", "unauthorized", "stop", { hint: "a new token" }],
  [409, "two of you", "conflict", "reconnect", { hint: "end the other" }],
  [502, "bad gateway", "timed_out", "uncertain", {}],
  [413, "no", "too_large", "reject", {}],
  [400, "message is too long", "too_large", "reject", {}],
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
  expect(unanswered(new SpoolwayError("unreachable", "ECONNREFUSED"))).toMatchObject({ fate: "reconnect" });
  expect(unanswered(new Error("socket hang up"))).toMatchObject({ fate: "uncertain" });
  const missing = new SpoolwayError("attachment_missing", "gone");
  expect(unanswered(missing)).toBe(missing);
});

test("an error that says that all is as it should be passes by", async () => {
  await Promise.reject(new Error("message is not modified")).catch(unless(/not modified/));
  await expect(Promise.reject(new Error("other")).catch(unless(/not modified/))).rejects.toThrow("other");
});

test("an id is a number and nothing else", () => {
  expect(numericId("17", "thread_id")).toBe(17);
  for (const text of ["", "general", "-1", "1.5", "1e3", "9".repeat(16), " 1"])
    expect(() => numericId(text, "thread_id")).toThrow("thread_id");
});
