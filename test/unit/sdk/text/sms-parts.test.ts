// Parts of short messages, as GSM 03.38 counts them; and files that are whole from their first moment.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { dropFile } from "../../../../runtime/sdk/folder/drop-file.ts";
import { smsParts } from "../../../../runtime/sdk/text/sms-parts.ts";

test.each([
  ["a".repeat(160), 1],
  ["a".repeat(161), 2],
  ["a".repeat(306), 2],
  ["a".repeat(307), 3],
  ["€".repeat(80), 1],
  ["€".repeat(81), 2],
  ["ж".repeat(70), 1],
  ["ж".repeat(71), 2],
  ["👋".repeat(35), 1],
  ["👋".repeat(36), 2],
  ["ж".repeat(135), 3],
  ["", 1],
  // What takes two places is not cut: gammu-smsd makes the same of these (test/contract/sms-spool.test.ts).
  [`${"a".repeat(152)}€${"a".repeat(152)}`, 3],
  ["€".repeat(152), 2],
  ["€".repeat(153), 3],
  ["👋".repeat(66), 2],
  ["👋".repeat(67), 3],
  [`${"ж".repeat(66)}👋${"ж".repeat(66)}`, 3],
])("%s", (text, parts) => expect(smsParts(text)).toBe(parts));

test("a dropped file takes the place of what a crash left behind, and leaves nothing beside it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-drop-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, ".a.txt.part"), "half of an older one, which was longer");
  await dropFile(folder, "a.txt", Buffer.from("whole"));
  expect(readdirSync(folder)).toEqual(["a.txt"]);
  expect(readFileSync(join(folder, "a.txt"), "utf8")).toBe("whole");
});

test.each([
  [0o077, 0o640],
  [0o022, 0o644],
])("with the umask %o the folder's group can read a dropped file", async (umask, mode) => {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-drop-"));
  const before = process.umask(umask);
  onTestFinished(() => {
    process.umask(before);
    rmSync(folder, { recursive: true });
  });
  await dropFile(folder, "a.txt", Buffer.from("whole"));
  expect(statSync(join(folder, "a.txt")).mode & 0o777).toBe(mode);
});
