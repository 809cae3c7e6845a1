// The contract that every connector keeps, checked through the real bus: `spoolway run` with this one connector and its platform. The platform's
// side is described in platform.ts; each case opens it afresh, but the plain ones and those of features.ts, which share one (sharedCase). The cases are in receiving.ts, sending.ts,
// failures.ts, trouble.ts and features.ts.
import { describe, expect, test } from "vitest";
import { waitFor } from "../helpers/wait.ts";
import { openCase, openPlatform, startCase } from "./case.ts";
import { failureCases } from "./failures.ts";
import { featureCases } from "./features.ts";
import type { Platform } from "./platform.ts";
import { receiving } from "./receiving.ts";
import { sending } from "./sending.ts";
import { troubleCases } from "./trouble.ts";

/** Declares the contract's tests for one platform. */
export function contract(platform: Platform): void {
  if (platform.missing !== undefined) {
    console.error(`NOT TESTED: the ${platform.type} connector: ${platform.missing}`);
    describe.skip(`${platform.type} (${platform.missing})`, () => test("contract", () => undefined));
    return;
  }
  describe(`${platform.type} keeps the contract`, { timeout: 120_000 }, () => {
    test("starts, is live and stops when asked", async () => {
      const { bus, name } = await openCase(platform);
      const beat = await waitFor(() => bus.heartbeat(name), { message: "a heartbeat" });
      expect(beat).toMatchObject({ name, type: platform.type, state: "live" });
      await bus.stop();
    });

    test("refuses an unknown key with its name", async () => {
      const entry = await openPlatform(platform);
      const changed = { ...entry, no_such_key: 1 };
      const { bus, name } = await startCase(platform, changed, { [platform.type]: "invalid" });
      expect(bus.connector(name)?.error?.message).toContain("no_such_key");
      const check = await bus.command("check");
      expect(check.code).not.toBe(0);
      expect(check.stdout + check.stderr).toContain("no_such_key");
    });

    receiving(platform);
    sending(platform);
    failureCases(platform);
    troubleCases(platform);
    featureCases(platform);
  });
}
