// The command table against docs/cli.md, and what commander makes of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { candidatesFor } from "../../../runtime/commands/completion.ts";
import {
  buildProgram,
  type Call,
  type CommandRow,
  globalOptions,
  parseCommandLine,
} from "../../../runtime/commands/program.ts";
import type { SpoolwayError } from "../../../runtime/errors.ts";
import { commands } from "../../../runtime/main.ts";
import { projectRoot } from "../../helpers/command.ts";

/** Every command with its full name. */
function allRows(table: readonly CommandRow[] = commands, prefix = "spoolway"): Array<[string, CommandRow]> {
  return table
    .filter(({ hidden }) => hidden !== true)
    .flatMap((row) => [
      [`${prefix} ${row.name}`, row] as [string, CommandRow],
      ...allRows(row.commands ?? [], `${prefix} ${row.name}`),
    ]);
}

/** docs/cli.md by heading. */
function sections(): Map<string, string> {
  const page = readFileSync(join(projectRoot, "docs/cli.md"), "utf8");
  const parts = page.split(/^#{2,3} /m).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf("\n")), part]));
}

function parse(...words: string[]): Call {
  let call: Call | undefined;
  parseCommandLine(
    buildProgram(commands, "0.0.0", (asked) => (call = asked)),
    commands,
    words,
  );
  if (call === undefined) throw new Error("nothing was called");
  return call;
}

describe("docs/cli.md", () => {
  test("has a section for every command, and for nothing else", () => {
    const documented = [...sections().keys()].filter((heading) => heading.startsWith("spoolway "));
    expect(documented.sort()).toEqual(
      allRows()
        .map(([name]) => name)
        .sort(),
    );
  });

  test.each(allRows())("%s: arguments, options, exit codes and examples are the table's", (name, row) => {
    const section = sections().get(name) ?? "";
    if (row.run !== undefined)
      expect(section).toContain(`\n${name}${row.args === undefined ? "" : ` ${row.args}`}\n`);
    const options = (row.options ?? []).map(({ flags }) => flags.replace("...>", ">"));
    expect([...section.matchAll(/^\| `(-[^`]*)`/gm)].map((match) => match[1])).toEqual(options);
    for (const { about } of row.options ?? []) expect(section).toContain(about);
    for (const [code, meaning] of Object.entries(row.exitCodes ?? {}))
      expect(section).toContain(`| ${code} | ${meaning} |`);
    for (const example of row.examples ?? []) expect(section).toContain(example);
  });

  test("lists the common options", () => {
    const section = sections().get("Common to all commands");
    for (const { flags, about } of globalOptions) expect(section).toContain(`| \`${flags}\` | ${about} |`);
  });
});

describe("a command line", () => {
  test("takes the common options before and after the command", () => {
    expect(parse("--home", "/a", "status", "--json").context).toMatchObject({ home: "/a", json: true });
    expect(parse("failed", "list", "--home", "/a").context).toMatchObject({ home: "/a", json: false });
  });

  test("gives --wait only a number, so that the text behind it is sent", () => {
    expect(parse("send", "cli", "--to", "me", "--wait", "hello")).toMatchObject({
      args: ["cli", "hello"],
      flags: { wait: "" },
    });
    expect(parse("send", "cli", "--to", "me", "--wait", "5", "hello")).toMatchObject({
      args: ["cli", "hello"],
      flags: { wait: "5" },
    });
    expect(parse("send", "cli", "--to", "me", "--", "--wait", "hello").args).toEqual([
      "cli",
      "--wait",
      "hello",
    ]);
  });

  test("collects options that may be repeated, one value each", () => {
    const { args, flags } = parse("send", "cli", "--to", "me", "--meta", "a=1", "--meta", "b=2", "text");
    expect(args).toEqual(["cli", "text"]);
    expect(flags.meta).toEqual(["a=1", "b=2"]);
  });

  test.each([
    [["statsu"], "Did you mean status?"],
    [["status", "--wach"], "Did you mean --watch?"],
    [["send", "cli"], "See: spoolway help send"],
    [["failed", "lst"], "Did you mean list?"],
    [["status", "extra"], "See: spoolway help status"],
  ])("%j is a usage error with a hint", (words, hint) => {
    expect(() => parse(...words)).toThrow(
      expect.objectContaining({ code: "usage", hint } satisfies Partial<SpoolwayError>),
    );
  });
});

describe("completion", () => {
  const words = (...line: string[]) => candidatesFor(commands, line);

  test("offers commands, but not the hidden one", () => {
    expect(words("").words).toEqual(expect.arrayContaining(["run", "send", "failed", "help"]));
    expect(words("").words).not.toContain("__complete");
  });

  test("offers subcommands, options and shells", () => {
    expect(words("failed", "").words).toEqual(["list", "show", "retry", "purge"]);
    expect(words("failed", "list", "--").words).toEqual(
      expect.arrayContaining(["--code", "--limit", "--json"]),
    );
    expect(words("completion", "").words).toEqual(["bash", "zsh", "fish"]);
    expect(words("help", "").words).toContain("send");
  });

  test("offers names of connectors where a name belongs", () => {
    expect(words("send", "")).toEqual({ words: [], connectors: true });
    expect(words("--home", "/a", "pause", "")).toEqual({ words: [], connectors: true });
    expect(words("tail", "--connector", "")).toEqual({ words: [], connectors: true });
    expect(words("send", "cli", "").connectors).toBe(false);
    expect(words("send", "--to", "").connectors).toBe(false);
    expect(words("nonsense", "")).toEqual({ words: [], connectors: false });
  });
});
