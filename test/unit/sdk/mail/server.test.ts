// The parts of the SDK for mail that are about the server: whom a password may be said to in clear, what a server that fails at a part means, when a folder is looked at again.
import { buffer } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { imapPart } from "../../../../runtime/sdk/mail/imap-part.ts";
import { isLoopback, mailOptions, mailProblem } from "../../../../runtime/sdk/mail/server.ts";
import { News } from "../../../../runtime/sdk/mail/numbered-folder.ts";

describe("a server", () => {
  test.each([
    ["localhost", true],
    ["LOCALHOST.", true],
    ["mail.localhost", true],
    ["127.0.0.53", true],
    ["::1", true],
    ["[::1]", true],
    ["127.0.0.1.example.org", false],
    ["localhost.example.org", false],
    ["notlocalhost", false],
    ["10.0.0.1", false],
    ["mail.example.org", false],
  ])("%s is this machine: %s", (host, is) => expect(isLoopback(host)).toBe(is));

  const account = { address: "bot@example.org", password: "secret", tls_verify: true };
  const place = { server: "mail.example.org", port: 587 };

  test("with starttls is never spoken to without", () => {
    const options = mailOptions({ ...place, security: "starttls" }, account);
    expect(options).toMatchObject({ secure: false, doSTARTTLS: true, requireTLS: true, ignoreTLS: false });
    expect(options.auth).toEqual({ user: "bot@example.org", pass: "secret" });
  });

  test.each([
    ["self-signed certificate", "tls_untrusted", "tls_ca"],
    ["Hostname/IP does not match certificate's altnames: x", "tls_untrusted", "tls_ca"],
    ["write EPROTO ... wrong version number", "disconnected", "starttls"],
    ["connect ECONNREFUSED", "disconnected", "server, port and security"],
  ])("that cannot be reached: %s", (message, code, hint) => {
    const problem = mailProblem(new Error(message), { ...place, security: "tls" });
    expect(problem).toMatchObject({ code, fate: "reconnect", hint: expect.stringContaining(hint) });
  });
});

describe("a part that the server does not give out", () => {
  const place = { folder: "INBOX", uidvalidity: "7", uid: 3 };

  function reading(fail: object | undefined, { usable = true, aborted = false } = {}) {
    const kept = new Map<string, unknown>();
    const state = {
      get: async <T>(key: string) => kept.get(key) as T | undefined,
      set: async (key: string, value: unknown) => void kept.set(key, value),
      delete: async (key: string) => void kept.delete(key),
    };
    const quiet = () => undefined;
    const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    const client = {
      usable,
      download: async () => {
        if (fail) throw Object.assign(new Error("Command failed"), fail);
        return {};
      },
    };
    const signal = aborted ? AbortSignal.abort() : new AbortController().signal;
    const part = { part: "2", type: "image/png", size: 100 };
    return {
      kept,
      read: (change: { size?: number; part?: string } = {}) =>
        buffer(imapPart(client, { state, signal, log }, place, { ...part, ...change })),
    };
  }

  test.each([
    ["NO", { responseText: "Internal error" }],
    ["nothing", undefined],
  ])("(%s) is unavailable at once", async (_what, fail) => {
    await expect(reading(fail).read()).rejects.toMatchObject({ code: "unavailable", fate: "reject" });
  });

  test("but has no bytes, is empty", async () => {
    expect(await reading(undefined).read({ size: 0 })).toHaveLength(0);
  });

  test.each([
    ["only now", { serverResponseCode: "UNAVAILABLE" }, true],
    ["since it asks to wait", { code: "ETHROTTLE" }, true],
    ["since the connection broke", { code: "ECONNRESET" }, false],
  ])("(%s) is tried five times", async (_what, fail, usable) => {
    const { read } = reading(fail, { usable });
    for (let times = 0; times < 5; times += 1)
      await expect(read()).rejects.toMatchObject({ fate: "reconnect", code: "disconnected" });
    await expect(read()).rejects.toMatchObject({ code: "unavailable", fate: "reject" });
  });

  test("does not make another one of the mail be tried without end", async () => {
    const { read } = reading({ code: "ECONNRESET" }, { usable: false });
    for (const part of ["2", "3"])
      for (let times = 0; times < 5; times += 1)
        await expect(read({ part })).rejects.toThrow("could not fetch");
    for (const part of ["2", "3"])
      await expect(read({ part })).rejects.toMatchObject({ code: "unavailable" });
  });

  test("because we ended the connection, is not counted", async () => {
    const { read, kept } = reading({ code: "NoConnection" }, { usable: false, aborted: true });
    await expect(read()).rejects.toMatchObject({ fate: "reconnect" });
    expect(kept.size).toBe(0);
  });
});

test("news that come while one looks are not forgotten", async () => {
  const news = new News();
  news.tell();
  news.forget();
  news.tell();
  await news.come();
  news.forget();
  const coming = news.come();
  news.tell();
  await coming;
  expect(news.isThere).toBe(true);
});
