// The soak as a command, for a few seconds: that it runs, judges and says so. What it kills is killed more often in kill.test.ts; the long run is `npm run soak`.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { projectRoot } from "../helpers/command.ts";
import { exited, trackChild } from "../helpers/children.ts";
import type { Tally } from "../soak/tally.ts";

async function soak(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(projectRoot, "test/soak/run.ts"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  trackChild(child, "the soak");
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: (await exited(child)).code, stdout, stderr };
}

test("npm run soak kills, counts and finds nothing wrong", { timeout: 240_000 }, async () => {
  const { code, stdout, stderr } = await soak("--minutes", "0.1", "--json", "--seed", "1");
  expect(code, stderr).toBe(0);
  const report = JSON.parse(stdout) as {
    ok: boolean;
    buses: Array<{ kills: Record<string, number>; tallies: Tally[] }>;
    flat: Array<{ process: string }>;
  };
  expect(report.ok).toBe(true);
  for (const { kills, tallies } of report.buses) {
    expect(Object.values(kills).reduce((sum, count) => sum + count)).toBeGreaterThan(0);
    for (const { out, in: inbound } of tallies) {
      expect(out).toMatchObject({ lost: 0, doubledOtherId: 0, outOfOrder: 0 });
      expect(inbound).toMatchObject({ lost: 0, doubledOtherId: 0, outOfOrder: 0 });
      expect(Math.min(out.messages, inbound.messages)).toBeGreaterThan(0);
    }
  }
  expect(report.flat.map((one) => one.process)).toEqual(
    expect.arrayContaining(["calm supervisor", "calm spared"]),
  );
});

test("wrong arguments are explained", async () => {
  const { code, stderr } = await soak("--minutes", "soon");
  expect(code).toBe(2);
  expect(stderr).toContain("--minutes N");
});
