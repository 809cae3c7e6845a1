// `spoolway new`: what it makes works as it is, and passes everything that the project's own code has to pass. In a copy of the project, so that a type
// that is there for a minute disturbs no other test.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { projectRoot, runCommand } from "../../helpers/command.ts";

let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "spoolway-new-"));
  const files = [
    "package.json",
    "eslint.config.js",
    ".prettierrc.json",
    ".prettierignore",
    "vitest.config.js",
  ];
  const folders = ["runtime", "schema", "config", "test/helpers", "test/vitest.config.ts"];
  for (const path of [...files, ...folders])
    cpSync(join(projectRoot, path), join(copy, path), { recursive: true });
  symlinkSync(join(projectRoot, "node_modules"), join(copy, "node_modules"));
  mkdirSync(join(copy, "connectors"));
  writeFileSync(join(copy, "connectors.yml"), "connectors: []\n");
  // Its types and those of what it imports: all the rest is checked for itself.
  const config = { extends: join(projectRoot, "tsconfig.json"), include: ["connectors"] };
  writeFileSync(join(copy, "tsconfig.json"), JSON.stringify(config));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** One of the copy's own programs. */
function program(path: string, ...args: string[]): { status: number | null; output: string } {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1" };
  // It must not take itself for a part of this test run.
  for (const name of Object.keys(env)) if (/^(NODE_OPTIONS|VITEST)/.test(name)) delete env[name];
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], {
    cwd: copy,
    encoding: "utf8",
    env,
  });
  return { status, output: stdout + stderr };
}

const spoolway = (...args: string[]) => program("runtime/main.ts", ...args);
const tool = (path: string, ...args: string[]) => program(join("node_modules", path), ...args);

test("what it makes is a valid type, formatted, linted and typed, and its test passes in a real bus", () => {
  const made = spoolway("new", "my-chat");
  expect(made).toMatchObject({
    status: 0,
    output: expect.stringContaining("npx vitest run connectors/my-chat") as string,
  });

  const types = JSON.parse(spoolway("types", "--json").output) as { types: object[] };
  expect(types.types).toEqual([expect.objectContaining({ type: "my-chat", title: "My Chat" })]);

  const folder = "connectors/my-chat";
  expect(tool("prettier/bin/prettier.cjs", "--check", folder)).toMatchObject({ status: 0 });
  expect(tool("eslint/bin/eslint.js", "--max-warnings=0", folder)).toMatchObject({ status: 0, output: "" });
  expect(tool("typescript/bin/tsc", "-p", ".", "--noEmit")).toMatchObject({ status: 0, output: "" });

  const tests = tool("vitest/vitest.mjs", "run", folder);
  expect(tests.output).toMatch(/Tests +5 passed/);
  expect(tests.status).toBe(0);
}, 300_000);

test("it never touches a type that exists, and explains a name that cannot be", () => {
  const readme = join(copy, "connectors/my-chat/README.md");
  writeFileSync(readme, "mine");
  expect(spoolway("new", "my-chat")).toMatchObject({
    status: 2,
    output: expect.stringContaining("already") as string,
  });
  expect(readFileSync(readme, "utf8")).toBe("mine");
  const wrong = spoolway("new", "My Chat!");
  expect(wrong).toMatchObject({ status: 2, output: expect.stringContaining("e.g. my-chat") as string });
  expect(spoolway("new", "../x").status).toBe(2);
});

test("a home elsewhere gets the type too, without a test that could not run there", async () => {
  const home = mkdtempSync(join(tmpdir(), "spoolway-home-"));
  try {
    writeFileSync(join(home, "connectors.yml"), "connectors: [{ name: one, type: mine, port: 7000 }]\n");
    const made = await runCommand(["new", "mine", "--home", home, "--json"]);
    expect((JSON.parse(made.stdout) as { files: string[] }).files.sort()).toEqual([
      "README.md",
      "connector.ts",
      "manifest.json",
      "platform.ts",
    ]);
    expect((await runCommand(["check", "--home", home])).code).toBe(0);
    expect((await runCommand(["new", "irc", "--home", home])).code).toBe(2);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
