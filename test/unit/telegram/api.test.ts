// How long the Bot API may say nothing: a server of one's own answers when a large file has come, or has gone; a poll that is silent is dead.
import { InputFile } from "../../../connectors/telegram/node_modules/grammy/out/mod.js";
import { expect, test } from "vitest";
import { openApi } from "../../../connectors/telegram/api.ts";

test("a file may take minutes without a sign, anything else 30 s; and what ends the send ends its requests", async () => {
  const asked: unknown[] = [];
  const { signal } = new AbortController();
  const fetch = async (url: string | URL, init: RequestInit = {}, silenceMs?: number) => {
    asked.push([String(url).split("/").at(-1), silenceMs, init.signal === signal, init.redirect]);
    return Response.json({ ok: true, result: {} });
  };
  const config = { token: "1:a", api_url: "http://127.0.0.1:8081" };
  const api = openApi({ config, fetch, signal } as unknown as Parameters<typeof openApi>[0]);
  await api.getMe();
  await api.getUpdates({ timeout: 25 });
  await api.getFile({ file_id: "f" });
  await api.sendMessage({ chat_id: 1, text: "hi" });
  await api.sendDocument({ chat_id: 1, document: new InputFile(Buffer.from("bytes")) });
  expect(asked).toEqual([
    ["getMe", undefined, true, "manual"],
    ["getUpdates", undefined, true, "manual"],
    ["getFile", 500_000, true, "manual"],
    ["sendMessage", undefined, true, "manual"],
    ["sendDocument", 500_000, true, "manual"],
  ]);
});
