import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { Readable } from "node:stream";
import { afterAll, expect, test } from "vitest";
import { platformFile, type Place } from "../../../../runtime/sdk/http/platform-file.ts";
import { reconnect, reject } from "../../../../runtime/sdk.ts";

const folder = mkdtempSync(join(tmpdir(), "spoolway-platform-file-"));
afterAll(() => rmSync(folder, { recursive: true }));
const facts = { name: undefined, kind: "document", size: undefined, mediaType: undefined };
const silent = () => undefined;
const ctx = {
  fetch: async (url: string | URL) => new Response(`bytes of ${String(url)}`),
  log: { debug: silent, info: silent, warn: silent, error: silent },
};
const at = (place: Place, more: object = {}) => platformFile(ctx, { ...facts, ...more }, async () => place);

test("at a URL: its name is the one that it has there, unless it was given one", async () => {
  const file = await at({ url: "https://x.org/a/photo%20.jpg?token=1" });
  expect(file).toMatchObject({ name: "photo .jpg", media_type: "image/jpeg", omitIfTooLarge: true });
  expect((await buffer(file.data as Readable)).toString()).toBe(
    "bytes of https://x.org/a/photo%20.jpg?token=1",
  );
  expect(await at({ url: "https://x.org/a" }, { name: "b.pdf", size: 3 })).toMatchObject({
    name: "b.pdf",
    size: 3,
    media_type: "application/pdf",
  });
});

test("on this machine: only below the folder of the config, and no links", async () => {
  mkdirSync(join(folder, "inside"));
  for (const path of ["inside/a.txt", "outside.txt"]) writeFileSync(join(folder, path), "text");
  symlinkSync(join(folder, "outside.txt"), join(folder, "inside/link.txt"));
  const inside = join(folder, "inside");
  const file = await at({ path: join(inside, "a.txt"), folder: inside });
  expect(file).toMatchObject({ name: "a.txt", media_type: "text/plain" });
  expect((await buffer(file.data as Readable)).toString()).toBe("text");
  const refused = ["outside.txt", "inside/../outside.txt", "inside/link.txt", "inside", "inside/none.txt"];
  for (const path of refused)
    expect(await at({ path: join(folder, path), folder: inside })).toEqual({
      name: "document",
      omitted: "unavailable",
    });
  expect(await at({ path: join(inside, "a.txt"), folder: undefined })).toMatchObject({
    omitted: "unavailable",
  });
});

test("what the platform refuses is omitted; what may be over by itself is thrown", async () => {
  const large = platformFile(ctx, { ...facts, name: "film.mkv", size: 9 }, () =>
    Promise.reject(reject("file is too big", "too_large")),
  );
  expect(await large).toEqual({ name: "film.mkv", size: 9, omitted: "too_large" });
  const gone = platformFile(ctx, facts, () => Promise.reject(reject("no such file")));
  expect(await gone).toEqual({ name: "document", omitted: "unavailable" });
  await expect(platformFile(ctx, facts, () => Promise.reject(reconnect("away")))).rejects.toThrow("away");
});
