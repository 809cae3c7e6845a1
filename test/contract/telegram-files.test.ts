// Files within the limits of Telegram's own server, and messages of several parts, each of which goes out once.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { group, name, startTelegram } from "../helpers/servers/telegramBus.ts";
import { waitFor } from "../helpers/wait.ts";

const megabyte = 2 ** 20;

describe("files that come in", { timeout: 120_000 }, () => {
  test("are fetched over HTTP byte for byte: a document of 19 MB, the largest photo, a voice message under the name that it has there", async () => {
    const { telegram, bus } = await startTelegram();
    const [large, photo, voice] = [randomBytes(19 * megabyte), randomBytes(9000), randomBytes(500)];
    const document = {
      ...telegram.upload("documents/file_1.bin", large.length, large),
      file_name: "größe.bin",
    };
    telegram.say(group, { document, caption: "the big one" });
    const sizes = [randomBytes(100), photo].map((bytes, n) =>
      telegram.upload(`photos/file_${n}.jpg`, bytes.length, bytes),
    );
    telegram.say(group, { photo: sizes });
    const spoken = telegram.upload("voice/file_3.oga", voice.length, voice);
    telegram.say(group, { voice: { ...spoken, mime_type: "audio/ogg", duration: 1 } });
    await waitFor(() => bus.list("inbox").length === 3, { timeoutMs: 30_000 });
    const seen = bus.events().map(({ content }) => content?.attachments?.[0]);
    expect(seen).toMatchObject([
      { name: "größe.bin", size: large.length },
      { name: "file_1.jpg", media_type: "image/jpeg" },
      { name: "file_3.oga", media_type: "audio/ogg" },
    ]);
    for (const [n, bytes] of [large, photo, voice].entries())
      expect(readFileSync(join(bus.spool, seen[n]?.path ?? "")).equals(bytes)).toBe(true);
    expect(bus.events("the big one")).toHaveLength(1);
  });

  test("are fetched whatever they are called, and called as Telegram has them where their sender gave no name", async () => {
    const { telegram, bus } = await startTelegram();
    const paths = [
      "documents/file_1.c#",
      "documents/file 2.100%",
      "documents/größe?.tar.gz",
      "a/../b.txt#x=1",
    ];
    for (const path of paths)
      telegram.say(group, { document: telegram.upload(path, Buffer.byteLength(path), Buffer.from(path)) });
    telegram.say(group, { document: telegram.upload("", 10) });
    await waitFor(() => bus.list("inbox").length === 5, { timeoutMs: 30_000 });
    const seen = bus.events().flatMap(({ content }) => content?.attachments ?? []);
    const text = ({ path = "" }): string => readFileSync(join(bus.spool, path), "utf8");
    expect(seen.slice(0, 3).map((one) => [one.name, text(one)])).toEqual([
      ["file_1.c#", paths[0]],
      ["file 2.100%", paths[1]],
      ["größe?.tar.gz", paths[2]],
    ]);
    expect(seen.slice(3)).toEqual([
      { name: "b.txt#x=1", size: 14, omitted: "unavailable" },
      { name: "document", size: 10, omitted: "unavailable" }, // and not the last of the address, which is the token
    ]);
  });

  test("that Telegram cannot give out just now are asked for once more, and left out then", async () => {
    const { telegram, bus } = await startTelegram();
    for (const failures of [1, 2]) {
      const document = telegram.upload(`documents/${failures}.txt`, 4, Buffer.from("text"));
      const stored = telegram.files.get(document.file_id);
      if (stored) stored.failures = failures;
      telegram.say(group, { document: { ...document, file_name: `${failures}.txt` } });
    }
    await waitFor(() => bus.list("inbox").length === 2, { timeoutMs: 30_000 });
    expect(bus.events().flatMap(({ content }) => content?.attachments ?? [])).toMatchObject([
      { name: "1.txt", size: 4, path: expect.stringContaining("media/") as string },
      { name: "2.txt", size: 4, omitted: "unavailable" },
    ]);
  });

  test("what Telegram does not give out is said, and what comes after it arrives", async () => {
    const { telegram, bus } = await startTelegram();
    const tooLarge = { ...telegram.upload("documents/file_1.bin", 21 * megabyte), file_name: "film.mkv" };
    telegram.say(group, { document: tooLarge });
    telegram.say(group, {
      document: { ...telegram.upload("documents/gone.bin", 10), file_name: "gone.bin" },
    });
    telegram.say(group, { document: { file_id: "forged", file_unique_id: "1", file_name: "forged.bin" } });
    telegram.say(group, { document: telegram.upload("/etc/hostname", 10) });
    telegram.say(group, { text: "after" });
    await bus.waitForEvent("after");
    const seen = bus.events().flatMap(({ content }) => content?.attachments ?? []);
    expect(seen).toEqual([
      { name: "film.mkv", size: 21 * megabyte, omitted: "too_large" },
      { name: "gone.bin", size: 10, omitted: "unavailable" },
      { name: "forged.bin", omitted: "unavailable" },
      { name: "document", size: 10, omitted: "unavailable" },
    ]);
  });
});

describe("files that go out", { timeout: 120_000 }, () => {
  const file = (bytes: Uint8Array, file_name: string) => ({
    file_name,
    file_size: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  });

  test("are shown as what they are, with the text below the first; or all as documents", async () => {
    for (const media of ["auto", "documents"]) {
      const { telegram, bus } = await startTelegram({ media });
      const files = { "a.png": randomBytes(300), "b.mp3": randomBytes(200), "c; d.txt": randomBytes(100) };
      for (const [path, bytes] of Object.entries(files)) bus.drop(name, bytes, path);
      const attachments = Object.keys(files).map((path) => ({ path }));
      const id = bus.send(name, { conversation_id: String(group), text: "three", attachments });
      const receipt = await bus.waitForReceipt(name, id);
      const sent = telegram.sent(group);
      expect(receipt.platform_ids).toEqual(sent.map(({ message_id }) => String(message_id)));
      const kinds = media === "auto" ? ["photo", "audio", "document"] : ["document", "document", "document"];
      const names = ["a.png", "b.mp3", "c_ d.txt"];
      for (const [n, bytes] of Object.values(files).entries())
        expect(sent[n]?.[kinds[n] ?? ""]).toMatchObject(file(bytes, names[n] ?? ""));
      expect(sent.map(({ caption }) => caption)).toEqual(["three", undefined, undefined]);
      await bus.stop();
    }
  });

  test("what cannot be shown goes as a document: a picture that is too long or too large, a voice message to somebody who takes none", async () => {
    const { telegram, server, bus } = await startTelegram();
    telegram.room(group).hearsNoVoices = true;
    const png = (width: number, height: number): Buffer => {
      const head = Buffer.alloc(24);
      head.write("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1");
      head.writeUInt32BE(width, 16);
      head.writeUInt32BE(height, 20);
      return head;
    };
    const large = Buffer.concat([png(800, 600), Buffer.alloc(10 * megabyte)]);
    const tall = png(800, 20_000);
    const files = {
      "a.png": png(800, 600),
      "page.png": tall,
      "said.ogg": randomBytes(50),
      "large.png": large,
    };
    for (const [path, bytes] of Object.entries(files)) {
      bus.drop(name, bytes, path);
      const drop = { conversation_id: String(group), text: path, attachments: [{ path }] };
      await bus.waitForReceipt(name, bus.send(name, drop));
    }
    const [photo, ...documents] = telegram.sent(group);
    expect(photo).toMatchObject({ photo: file(files["a.png"], "a.png"), caption: "a.png" });
    expect(documents).toMatchObject([
      { document: file(files["page.png"], "page.png"), caption: "page.png" },
      { document: file(files["said.ogg"], "said.ogg"), caption: "said.ogg" },
      { document: file(large, "large.png"), caption: "large.png" },
    ]);
    expect(server.refusedFiles).toBe(2); // the large one was not tried as a picture
  });

  test("a file of the spool that has no name is called by the last of its path", async () => {
    const { telegram, bus } = await startTelegram();
    telegram.say(group, { document: telegram.upload("documents/file_1.bin", 4, Buffer.from("text")) });
    const event = await bus.waitForEvent(({ content }) => content?.attachments !== undefined);
    const { path = "", sha256 = "" } = event.content?.attachments?.[0] ?? {};
    const id = bus.send(name, { conversation_id: String(group), attachments: [{ path }] });
    await bus.waitForReceipt(name, id);
    expect(telegram.sent(group)).toMatchObject([{ document: { file_name: sha256, sha256 } }]);
  });

  test("a text that is too long for a caption goes before the file; a file above 50 MB is refused before it is sent", async () => {
    const { telegram, bus } = await startTelegram();
    bus.drop(name, randomBytes(10), "a.bin");
    const text = "long ".repeat(300).trim();
    await bus.waitForReceipt(
      name,
      bus.send(name, { conversation_id: String(group), text, attachments: [{ path: "a.bin" }] }),
    );
    expect(telegram.sent(group).map((one) => one.text ?? Object.keys(one).at(-1))).toEqual([
      text,
      "document",
    ]);
    const path = join(bus.spool, "outbox", name, "large.bin");
    writeFileSync(path, "");
    truncateSync(path, 50 * megabyte + 1);
    const id = bus.send(name, { conversation_id: String(group), attachments: [{ path: "large.bin" }] });
    const dead = await bus.waitForDeadLetter(name, id, { timeoutMs: 60_000 });
    expect([dead.code, dead.error]).toEqual(["too_large", expect.stringContaining("at most 52428800")]);
    expect(telegram.sent(group)).toHaveLength(2);
  });
});

describe("a message of several parts", { timeout: 120_000 }, () => {
  const paragraphs = Array.from({ length: 4 }, (_, n) => `${n} ${"word ".repeat(700)}`.trim());

  test("goes on where it was when Telegram asks to wait in the middle", async () => {
    const { telegram, server, bus } = await startTelegram();
    server.limitAfter(2, 2);
    const id = bus.send(name, { conversation_id: String(group), text: paragraphs.join("\n") });
    const receipt = await bus.waitForReceipt(name, id, { timeoutMs: 60_000 });
    expect(telegram.sent(group).map(({ text }) => text)).toEqual(paragraphs);
    expect(receipt.platform_ids).toHaveLength(4);
    expect(server.early).toBe(0);
  });

  test("goes on where it was when the process is killed: only the part that was under way is there twice", async () => {
    const { telegram, server, bus } = await startTelegram();
    server.silentAfter(2);
    const id = bus.send(name, { conversation_id: String(group), text: paragraphs.join("\n") });
    await waitFor(() => telegram.sent(group).length === 3, { message: "the third part" });
    process.kill(bus.connector(name)?.pid ?? 0, "SIGKILL");
    server.silent = undefined;
    await bus.waitForReceipt(name, id, { timeoutMs: 60_000 });
    const [one, two, three, four] = paragraphs;
    expect(telegram.sent(group).map(({ text }) => text)).toEqual([one, two, three, three, four]);
  });
});
