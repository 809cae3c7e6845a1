// The tests notice what is missing: a few steps that the promises rest on are taken out of a copy of the source, one at a time, and a test has to fail for each
// (test/mutation; `npm run test:mutation` takes all of them).
//
// SPOOLWAY_MUTATIONS (default 3) and SPOOLWAY_SEED are parameters: a seed repeats the choice.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { atEnd, endChild, trackChild } from "../helpers/children.ts";
import { projectRoot } from "../helpers/command.ts";
import { mutations } from "../mutation/mutations.ts";

const count = Number(process.env.SPOOLWAY_MUTATIONS ?? 3);
const seed = Number(process.env.SPOOLWAY_SEED ?? Math.floor(Math.random() * 2 ** 31));

test("every step of the list stands in the source, once, and the tests that notice it are there", () => {
  const wrong = mutations.flatMap(({ id, file, find, tests }) => {
    const times = readFileSync(join(projectRoot, file), "utf8").split(find).length - 1;
    const gone = tests.filter((path) => !existsSync(join(projectRoot, path)));
    return times === 1 && gone.length === 0 ? [] : [`${id}: ${times} times in ${file}, no ${gone.join(" ")}`];
  });
  expect(wrong).toEqual([]);
});

test(
  "steps of the spool that are taken out, chosen by chance, are noticed",
  { timeout: 120_000 + count * 180_000 },
  async () => {
    console.log(`mutations: seed ${seed}, ${count} of the list`);
    // The same tests run on the unchanged source beside this one.
    const sample = ["--sample", String(count), "--seed", String(seed), "--unchecked"];
    const child = trackChild(
      spawn(process.execPath, [join(projectRoot, "test/mutation/run.ts"), ...sample], {
        stdio: ["ignore", "pipe", "pipe"],
      }),
      "the mutation run",
    );
    // SIGTERM: it ends its tests and removes its copy.
    atEnd(() => endChild(child, "SIGTERM").then(() => undefined));
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (said += text));
    const code = await new Promise<number | null>((done) => child.once("close", done));
    expect(code, said).toBe(0);
    expect(said).toContain(`${count} noticed, 0 not noticed`);
  },
);
