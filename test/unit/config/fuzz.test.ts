// Whatever people write: loading never throws, every problem has a place in the file, and a secret never shows.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { loadConfig } from "../../../runtime/config/load.ts";
import { entry, makeHome, shown } from "./home.ts";

const text = entry(
  "token: SECRETVALUE",
  "account: { user: ada, password: 'SECRETVALUE' } # the account",
  'keys: ["SECRETVALUE", &x ab]',
  "channels: ['#a', '${A}']",
  "any: |",
  "  two",
  "  lines",
  "runtime: { rate: 5/s, retry: { attempts: 3 } }",
);
const secrets = [...text.matchAll(/SECRETVALUE/g)].map(({ index }) => index);
const inSecret = (at: number): boolean =>
  secrets.some((start) => at > start && at < start + "SECRETVALUE".length);

/** Another one with FUZZ_SEED=n. */
const seed = Number(process.env.FUZZ_SEED ?? 1);

const edit = fc.record({
  at: fc.nat(text.length).filter((at) => !inSecret(at)),
  remove: fc.nat(3),
  insert: fc.oneof(
    fc.constant(""),
    fc.constantFrom(..."\t\n:-'\"{}[]#&*!|>%@,$ <~?`"),
    fc.constantFrom("<<: *x", "${", "${B}", "- ", "  ", "no"),
  ),
});

test("a few slips of the keyboard", { timeout: 60_000 }, async () => {
  const home = makeHome(text);
  expect((await loadConfig(home, { env: { A: "#b" } })).problems).toEqual([]);
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      let changed = text;
      for (const { at, remove, insert } of edits.toSorted((a, b) => b.at - a.at)) {
        const end = Array.from({ length: remove }, (_, i) => at + i).some(inSecret) ? at : at + remove;
        changed = changed.slice(0, at) + insert + changed.slice(end);
      }
      writeFileSync(join(home, "connectors.yml"), changed);
      const { problems, unusable, connectors, invalid } = await loadConfig(home, { env: { A: "#b" } });
      expect(shown(problems)).not.toContain("SECRETVALUE");
      const lines = changed.split("\n");
      for (const { line, column, message } of problems) {
        expect(message).not.toBe("");
        expect(lines.length).toBeGreaterThanOrEqual(line);
        expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1);
        expect(Math.min(line, column)).toBeGreaterThan(0);
      }
      expect(unusable || connectors.length + invalid.length > 0).toBe(true);
      if (connectors.length === 0) expect(problems.length).toBeGreaterThan(0);
    }),
    { numRuns: 300, seed },
  );
});

test("any bytes", { timeout: 60_000 }, async () => {
  const home = makeHome(text);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: "binary", maxLength: 200 })),
      async (bytes) => {
        writeFileSync(join(home, "connectors.yml"), bytes);
        expect((await loadConfig(home, { env: {} })).unusable).toBe(true);
      },
    ),
    { numRuns: 100, seed },
  );
});
