// Parts of short messages, as GSM 03.38 counts them; and files that are whole from their first moment.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { dropFile } from "../../../runtime/sdk/drop-file.ts";
import { smsParts } from "../../../runtime/sdk/sms-parts.ts";

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
])("%s", (text, parts) => expect(smsParts(text)).toBe(parts));

test("a dropped file takes the place of what a crash left behind, and leaves nothing beside it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spoolway-drop-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, ".a.txt.part"), "half of an older one, which was longer");
  await dropFile(folder, "a.txt", Buffer.from("whole"));
  expect(readdirSync(folder)).toEqual(["a.txt"]);
  expect(readFileSync(join(folder, "a.txt"), "utf8")).toBe("whole");
});
