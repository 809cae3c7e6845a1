// What people and programs see: spoolway check, spoolway types, and the form of a problem.
import { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { check } from "../../../runtime/commands/check.ts";
import { types } from "../../../runtime/commands/types.ts";
import { formatProblem } from "../../../runtime/config/report.ts";
import { entry, load, makeHome } from "./home.ts";

function capture(): { out: Writable; text: () => string } {
  const chunks: string[] = [];
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk.toString());
      done();
    },
  });
  return { out, text: () => chunks.join("") };
}

// Without Spoolway's own types, so that the output is known to the letter.
async function run(
  command: "check" | "types",
  yml: string,
  flags: { json?: boolean; color?: boolean } = {},
  files = {},
): Promise<{ code: number; text: string }> {
  const { out, text } = capture();
  const home = makeHome(yml, files);
  const options = { home, json: flags.json ?? false, color: flags.color ?? false, out, env: {} };
  const code = command === "check" ? await check(options) : await types(options);
  return { code, text: text().replaceAll(home, "HOME") };
}

const escape = String.fromCharCode(27);

describe("a problem", () => {
  test("is shown with its place, what to do, and a caret below it", async () => {
    const { problems } = await load(entry("chanels: ['#a']"));
    expect(problems.map((problem) => formatProblem(problem))).toEqual([
      "connectors.yml:5:5  error  unknown key `chanels`: did you mean `channels`?\n        chanels: •••\n        ^",
    ]);
  });

  test("has its caret in place behind tabs, masked values and in long lines", async () => {
    const line = "account: {\tpassword: 'abc, def',\tusr: x }";
    const [problem] = (await load(entry(line))).problems.filter(({ message }) => message.includes("usr"));
    expect(problem?.source).toEqual({ text: "    account: {\tpassword: •••,\tusr: ••• }", column: 30 });
    const [long] = (
      await load(
        entry(`any: '${"x".repeat(500)}'`, `channels: ['#${"y".repeat(500)}', wrong, '#${"z".repeat(500)}']`),
      )
    ).problems;
    expect(long?.source?.text.slice(long.source.column)).toMatch(/^wrong/);
    expect(long?.source?.text.length).toBeLessThan(110);
  });

  test("cannot write to the terminal what is not text", () => {
    const message = `unknown ${escape}[31mkey${String.fromCharCode(7)}`;
    const text = formatProblem({ file: "connectors.yml", line: 1, column: 1, message });
    expect(text).toBe("connectors.yml:1:1  error  unknown key");
    expect(text).not.toContain(escape);
  });

  test("is coloured only when asked", async () => {
    const [problem] = (await load(entry("prot: 1"))).problems;
    expect(problem && formatProblem(problem, true)).toContain(escape);
    expect(problem && formatProblem(problem, false)).not.toContain(escape);
  });
});

describe("spoolway check", () => {
  test("exits 0 when all is well", async () => {
    const { code, text } = await run("check", entry("runtime: { enabled: false }"));
    expect(code).toBe(0);
    expect(text).toBe(
      "Checked HOME/connectors.yml\n\nCONNECTOR  TYPE  CONFIGURATION\none        demo  ok, disabled\n\nNo mistakes. 1 connector can run.\n",
    );
  });

  test("exits 1 and shows connectors, problems and what runs all the same", async () => {
    const second = entry("prot: 1").replace("connectors:\n", "").replace("name: one", "name: two");
    const { code, text } = await run("check", entry() + second);
    expect(code).toBe(1);
    expect(text).toContain("one        demo  ok\n");
    expect(text).toContain("two        demo  invalid (1 problem)\n");
    expect(text).toContain("connectors.yml:8:5  error  unknown key `prot`: did you mean `port`?");
    expect(text).toContain("1 problem. 1 connector can run, 1 cannot.");
    expect(text).not.toContain(escape);
  });

  test("says that nothing can run when the file is unusable", async () => {
    const { code, text } = await run("check", "");
    expect(code).toBe(1);
    expect(text).toContain("there is nothing in it");
    expect(text).toContain("Nothing can run until this is corrected.");
  });

  test("tells programs the same as JSON", async () => {
    const { code, text } = await run("check", entry("prot: 1"), { json: true });
    expect(code).toBe(1);
    expect(JSON.parse(text)).toEqual({
      ok: false,
      usable: true,
      connectors: [{ name: "one", type: "demo", valid: false }],
      problems: [
        {
          file: "connectors.yml",
          line: 5,
          column: 5,
          message: "unknown key `prot`",
          hint: "did you mean `port`?",
          connector: "one",
          source: "    prot: •••",
        },
      ],
      warnings: [],
    });
  });

  test("is the place to hear of a broken type that nobody uses", async () => {
    const { code, text } = await run("check", entry(), {}, { "connectors/b/manifest.json": "{}" });
    expect(code).toBe(1);
    expect(text).toContain("connectors/b/manifest.json:1:1  error  `type` is missing");
  });

  test("has colours only when asked", async () => {
    expect((await run("check", entry("prot: 1"), { color: true })).text).toContain(escape);
  });
});

describe("spoolway types", () => {
  test("shows each type with its direction, description and where it comes from", async () => {
    const { code, text } = await run("types", "connectors: []");
    expect(code).toBe(0);
    expect(text).toMatch(/^TYPE +TITLE +DIRECTION +FROM +WHAT IT IS\n/);
    expect(text).toMatch(/^demo +Demo +in and out +home +For tests\.$/m);
    expect(text).toMatch(/^schedule +Schedule +in +built-in +\S/m);
  });

  test("shows broken ones as problems, and exits 1", async () => {
    const { code, text } = await run("types", "connectors: []", {}, { "connectors/b/manifest.json": "{}" });
    expect(code).toBe(1);
    expect(text).toContain("connectors/b/manifest.json:1:1  error  `type` is missing");
    expect(text).toMatch(/^demo /m);
  });

  test("tells programs the same as JSON, with the schema of the keys", async () => {
    const { text } = await run("types", "connectors: []", { json: true });
    const found = (JSON.parse(text) as { types: Array<{ type: string }> }).types.find(
      ({ type }) => type === "demo",
    );
    expect(found).toMatchObject({
      type: "demo",
      title: "Demo",
      direction: "both",
      origin: "home",
      folder: "HOME/connectors/demo",
      config: { type: "object" },
    });
  });
});
