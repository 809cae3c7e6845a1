// The rules of the house, held by reading the source: what may import what, who may change files, how long a file may be.
import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { basename, dirname, join, posix } from "node:path";
import { describe, expect, test } from "vitest";
import { errorTable } from "../../runtime/errors.ts";
import { librariesOf } from "../../runtime/libraries.ts";
import { projectRoot } from "../helpers/command.ts";
import { importCycle, projectFiles, type Source, sources } from "../helpers/sources.ts";

const runtime = sources("runtime", "schema");
/** Without the tests that lie beside a connector: they may use what tests use. */
const connectors = sources("connectors").filter(({ path }) => !path.endsWith(".test.ts"));

/**
 * From the top down. A file may import from its own layer and from those below; two names in one layer are neighbours that do not know each other: they meet
 * through files, messages and exit codes.
 */
const layers: string[][] = [
  // A developer's program, of which nothing runs in a bus.
  ["schema/generate.ts"],
  ["runtime/spoolway.js"],
  ["runtime/main.ts"],
  ["runtime/commands/"],
  ["runtime/supervisor/", "runtime/connector/"],
  ["runtime/ipc.ts"],
  ["runtime/spool/", "runtime/config/"],
  // The ground: pure functions, no state, no knowledge of the spool or of the configuration. What is not named above is here.
  ["runtime/"],
  ["schema/"],
];

/** Pure text, no file is touched: ground, although they live in the spool's folder as a part of its specification. */
const pure = ["runtime/spool/names.ts", "runtime/spool/hash.ts", "runtime/spool/json.ts"];
const ground = layers.findIndex((parts) => parts.includes("runtime/"));

function layerOf(path: string): { rank: number; part: string } {
  if (pure.includes(path)) return { rank: ground, part: "runtime/" };
  for (const [rank, parts] of layers.entries()) {
    const part = parts.find((prefix) => path.startsWith(prefix));
    if (part !== undefined) return { rank, part };
  }
  throw new Error(`${path} belongs to no layer`);
}

describe("imports", () => {
  test.each([
    ["runtime/connector/process.ts", "runtime/sandbox/egress.ts", "the sandbox is as large as all the rest"],
    ["runtime/supervisor/supervise.ts", "runtime/config/compiler.ts", "compiling is as long as all the rest"],
  ])("of %s load no %s before it is needed: %s", (from, late) => {
    const loaded = loadedBy(from);
    expect(loaded.size).toBeGreaterThan(20);
    expect(loaded).not.toContain(late);
  });

  test("go down only: main, commands, supervisor or connector, spool or config, ground, schema", () => {
    const wrong: string[] = [];
    for (const { path, imports } of runtime) {
      const from = layerOf(path);
      for (const { file } of imports) {
        if (file === undefined) continue;
        const to = layerOf(file);
        if (to.rank < from.rank || (to.rank === from.rank && to.part !== from.part))
          wrong.push(`${path} imports ${file}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("have no cycle", () => {
    expect(importCycle([...runtime, ...connectors])).toBeUndefined();
  });

  test("of a connector are the SDK, node's own modules, packages and its own folder", () => {
    const wrong = connectors.flatMap(({ path, imports }) => {
      const folder = path.split("/").slice(0, 2).join("/");
      const own = (file: string) => file.startsWith(`${folder}/`);
      return imports
        .filter(({ specifier, file }) =>
          file === undefined
            ? specifier.startsWith("/") || /^spoolway(?!\/sdk(\/[a-z0-9-]+){0,2}$)/.test(specifier)
            : !own(file),
        )
        .map(({ specifier }) => `${path} imports ${specifier}`);
    });
    expect(wrong).toEqual([]);
  });

  test("of packages are in package.json, and node's own have their prefix", () => {
    const { dependencies, name } = packageJson();
    const wrong = [...runtime, ...connectors].flatMap(({ path, imports }) => {
      const packages = imports.filter(
        ({ file, specifier }) => file === undefined && !specifier.startsWith("node:"),
      );
      return (
        packages
          .map(({ specifier }) => packageOf(specifier))
          .filter((one) => one !== name && (builtinModules.includes(one) || !(one in dependencies)))
          .filter((one) => !(one in librariesOf(join(projectRoot, dirname(path)))))
          // The first is run by developers and by CI only; the second by whatever node the machine has, however old.
          .filter(() => path !== "schema/generate.ts" && path !== "runtime/spoolway.js")
          .map((one) => `${path} imports ${one}`)
      );
    });
    expect(wrong).toEqual([]);
  });
});

/** Our own modules that are loaded with this one. */
function loadedBy(entry: string): Set<string> {
  const texts = new Map(runtime.map(({ path, text }) => [path, text]));
  const loaded = new Set([entry]);
  for (const path of loaded)
    for (const [, target = ""] of texts
      .get(path)
      ?.matchAll(/^(?:import|export)(?! type)[^;]*? from "(\.[^"]+)"/gm) ?? [])
      loaded.add(posix.join(posix.dirname(path), target));
  return loaded;
}

/** What changes the file system. Opening, making folders and reading are free. */
const mutators = [
  ...[
    "link",
    "symlink",
    "rename",
    "unlink",
    "rm",
    "rmdir",
    "truncate",
    "ftruncate",
    "copyFile",
    "cp",
    "utimes",
  ],
  ...["fsync", "fdatasync", "writeFile", "appendFile", "createWriteStream", "mkdtemp"],
].flatMap((name) => [name, `${name}Sync`]);

/** Types and constants; and the link in /proc that tells the pid namespace is no file of the spool. */
const harmless = ["constants", "readlinkSync", "BigIntStats", "FSWatcher", "DatabaseSync", "StatementSync"];

/** Who else may, and why. */
const mayMutate: Record<string, { names: string[]; why: string }> = {
  "schema/generate.ts": { names: ["rmSync", "writeFileSync"], why: "writes source files, not the spool" },
  "runtime/commands/new.ts": {
    names: ["mkdtempSync", "renameSync", "writeFileSync"],
    why: "writes source files, not the spool",
  },
  "runtime/supervisor/lock.ts": {
    names: ["rmdir"],
    why: "removes the lock folder of a supervisor that is provably gone",
  },
  "runtime/sdk/folder/set-aside.ts": {
    names: ["rename", "unlink", "writeFile"],
    why: "takes files out of the user's watched folder, which is not the spool",
  },
  "runtime/sdk/folder/drop-file.ts": {
    names: ["rename", "writeFile"],
    why: "puts files into the spool of another program, which is not ours",
  },
  "runtime/sdk/socket/unix-socket.ts": {
    names: ["rmSync"],
    why: "removes a connector's own socket that a killed process left, which no rename could replace",
  },
};

describe("files", () => {
  test("are changed by runtime/spool and by nobody else", () => {
    const wrong = [...runtime, ...connectors]
      .filter(({ path }) => !path.startsWith("runtime/spool/"))
      .flatMap((source) => mutations(source).map((name) => `${source.path} calls ${name}`));
    expect(wrong).toEqual([]);
  });

  test("of the spool are reached through the one interface that a test can put its own in place of", () => {
    const wrong = runtime
      .filter(({ path }) => path.startsWith("runtime/spool/") && path !== "runtime/spool/fs.ts")
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ specifier }) => /^node:(fs|sqlite)/.test(specifier))
          .flatMap(({ names }) => names.filter((name) => !harmless.includes(name)))
          .map((name) => `${path} takes ${name}`),
      );
    expect(wrong).toEqual([]);
  });

  test("that may change files still do: the list of exceptions is current", () => {
    const all = new Map([...runtime, ...connectors].map((source) => [source.path, source]));
    for (const [path, { names }] of Object.entries(mayMutate)) {
      const source = all.get(path);
      expect(source, `${path} is gone`).toBeDefined();
      expect(
        source?.imports.flatMap((one) => one.names),
        path,
      ).toEqual(expect.arrayContaining(names));
    }
  });

  test("have at most 300 lines, a connector's main file 200, a list of tests 500", () => {
    const long = [...runtime, ...connectors, ...sources("test")]
      .filter(({ path, lines }) => lines > maxLines(path))
      .map(({ path, lines }) => `${path}: ${lines} lines`);
    expect(long).toEqual([]);
  });

  test("of a connector have together under 200 lines of code; webhook, which is several, may have more", () => {
    // What says why is free.
    const code = ({ text }: { text: string }): number =>
      text.split("\n").filter((line) => !/^\s*(?:$|\/\/|\/\*\*|\*)/.test(line)).length;
    const byConnector = Map.groupBy(
      connectors.filter(({ path }) => !path.endsWith(".d.ts")),
      ({ path }) => path.split("/")[1] ?? path,
    );
    const long = [...byConnector]
      .map(([type, files]) => ({ type, lines: files.reduce((sum, file) => sum + code(file), 0) }))
      .filter(({ type, lines }) => lines >= 200 && type !== "webhook");
    expect([...byConnector.keys()]).toContain("irc");
    expect(long).toEqual([]);
  });

  test("say in their first line what they are for", () => {
    const silent = [...runtime, ...connectors, ...sources("test/helpers", "test/contract")]
      .filter(({ text }) => !/^(#!.*\n)?(\/\/|\/\*)/.test(text))
      .map(({ path }) => path);
    expect(silent).toEqual([]);
  });

  test("hold no unfinished business and no path of the machine they were written on", () => {
    const self = basename(import.meta.filename);
    const words = /\b(TODO|FIXME|XXX|HACK|WIP)\b/;
    const here = projectRoot.split("/").length > 2 ? projectRoot : undefined;
    const wrong = projectFiles()
      .filter((path) => basename(path) !== self && path !== "LICENSE")
      .filter((path) => {
        const text = readFileSync(join(projectRoot, path), "utf8");
        return words.test(text) || (here !== undefined && text.includes(`${here}/`));
      });
    expect(wrong).toEqual([]);
  });
});

const errorsPage = join(projectRoot, "docs/errors.md");

test("every error code is explained in docs/errors.md", () => {
  const page = readFileSync(errorsPage, "utf8");
  expect(Object.keys(errorTable).filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
});

test("every connector has its manifest, its code and its README", () => {
  const files = projectFiles().filter((path) => path.startsWith("connectors/"));
  const folders = new Set(files.map((path) => path.split("/").slice(0, 2).join("/")));
  const wanted = ["manifest.json", "connector.ts", "README.md"];
  const missing = [...folders].flatMap((folder) =>
    wanted.map((file) => `${folder}/${file}`).filter((path) => !files.includes(path)),
  );
  expect(missing).toEqual([]);
});

function mutations({ path, imports, calls }: Source): string[] {
  const allowed = mayMutate[path]?.names ?? [];
  const fs = imports.filter(({ specifier }) => /^node:fs(\/promises)?$/.test(specifier));
  const named = fs.flatMap(({ names }) => names);
  // `import * as fs` or a default import: then by the name of what is called.
  const called = named.includes("*") ? calls.map((name) => name.replace("()", "")) : [];
  const opens = named.includes("open") || named.includes("*");
  const handles = !opens ? [] : calls.filter((name) => name === "sync()" || name === "datasync()");
  const used = [...named, ...called].filter((name) => mutators.includes(name));
  return [...new Set([...used, ...handles])].filter((name) => !allowed.includes(name));
}

function maxLines(path: string): number {
  if (/^connectors\/[^/]+\/connector\.[tj]s$/.test(path)) return 200;
  return path.endsWith(".test.ts") ? 500 : 300;
}

function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? specifier);
}

function packageJson(): { name: string; dependencies: Record<string, string> } {
  return JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as ReturnType<
    typeof packageJson
  >;
}
