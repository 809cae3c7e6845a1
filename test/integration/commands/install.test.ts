// `spoolway install`: the libraries of every connector that has some, by its lock file, into a copy of its folder in another home; and what check and a bus say before.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { librariesOf, missingLibraries } from "../../../runtime/libraries.ts";
import { startBus } from "../../helpers/bus.ts";
import { projectRoot, runCommand } from "../../helpers/command.ts";

const connectors = join(projectRoot, "connectors");
const types = readdirSync(connectors).filter(
  (type) => Object.keys(librariesOf(join(connectors, type))).length > 0,
);

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "spoolway-install-"));
  mkdirSync(join(home, "connectors"));
  for (const type of types)
    cpSync(join(connectors, type), join(home, "connectors", type), {
      recursive: true,
      filter: (path) => basename(path) !== "node_modules",
    });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const spoolway = (...args: string[]) => runCommand([...args, "--home", home]);

describe.for(types)("%s", (type) => {
  const folder = (): string => join(home, "connectors", type);

  test("has exact versions, and a lock file that names no host: npm asks the registry that it is set up for", () => {
    for (const version of Object.values(librariesOf(folder()))) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    const lock = readFileSync(join(folder(), "package-lock.json"), "utf8");
    expect(lock).not.toMatch(/"resolved": "\w+:/);
  });

  test("its libraries are installed by its lock file", { timeout: 300_000 }, async () => {
    expect(missingLibraries(folder())).toEqual(Object.keys(librariesOf(folder())));
    const { code, stdout, stderr } = await spoolway("install", type, "--json");
    expect(code, stderr).toBe(0);
    const [outcome] = (JSON.parse(stdout) as { types: Array<{ result: string; bytes: number }> }).types;
    expect(outcome).toMatchObject({ type, result: "installed" });
    console.log(`${type}: ${((outcome?.bytes ?? 0) / 1e6).toFixed(1)} MB`);
    expect(missingLibraries(folder())).toEqual([]);
    const again = await spoolway("install", type, "--json");
    expect(JSON.parse(again.stdout)).toMatchObject({ types: [{ type, result: "was there" }] });
  });
});

const needy = { name: "needy", version: "1.0.0" };

describe("a connector whose library is missing", () => {
  /** One whose library is a folder beside it, so that no network is needed. */
  function makeNeedy(at: string): void {
    const folder = join(at, "connectors/needy");
    mkdirSync(join(folder, "library"), { recursive: true });
    const manifest = { type: "needy", title: "Needy", config: { type: "object", properties: {} } };
    writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
    const code =
      'import "needed-library";\nexport default { connect: async () => ({}), receive: (_s, ctx) => new Promise((end) => ctx.signal.addEventListener("abort", end)) };\n';
    writeFileSync(join(folder, "connector.js"), code);
    const dependencies = { "needed-library": "file:library" };
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ ...needy, type: "module", private: true, dependencies }),
    );
    writeFileSync(
      join(folder, "library/package.json"),
      JSON.stringify({ name: "needed-library", version: "1.0.0", type: "module", main: "index.js" }),
    );
    writeFileSync(join(folder, "library/index.js"), "");
  }

  test("check and status say which command installs it; with it, it runs", { timeout: 120_000 }, async () => {
    const place = mkdtempSync(join(tmpdir(), "spoolway-needy-"));
    makeNeedy(place);
    try {
      const bus = await startBus({
        home: place,
        connectors: [{ name: "one", type: "needy" }],
        until: "stopped",
      });
      expect(bus.connector("one")).toMatchObject({
        error: { code: "library_missing" },
        user_action: expect.stringContaining("npx spoolway install needy") as string,
      });
      const check = await bus.command("check");
      expect(check).toMatchObject({
        code: 1,
        stdout: expect.stringContaining("one needs needed-library, which is not installed") as string,
      });
      expect(check.stdout).toContain("Run: npx spoolway install needy");

      const installed = await bus.command("install");
      expect(installed, installed.stderr).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/needy +installed[^]*restarting one: see spoolway status\n$/) as string,
      });
      expect(existsSync(join(place, "connectors/needy/node_modules/needed-library"))).toBe(true);
      expect((await bus.command("check")).stdout).not.toContain("needed-library");
      await bus.waitForConnector("one", "live");
      const again = await bus.command("install", "--json");
      expect(JSON.parse(again.stdout)).toMatchObject({ types: [{ result: "was there" }], restarted: [] });
      await bus.stop();
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  });

  test("an unknown type is a mistake of the command line", async () => {
    const { code, stderr } = await runCommand(["install", "emial", "--home", home]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("there is no connector type")]);
  });
});
