// Connectors outside the package find the SDK and each of its parts, and they are the runtime's own.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { projectRoot } from "../../helpers/command.ts";

const parts = readdirSync(join(projectRoot, "runtime/sdk"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => path.slice(0, -".ts".length));

test("a connector in a home folder imports spoolway/sdk and every spoolway/sdk/…", () => {
  const home = mkdtempSync(join(tmpdir(), "spoolway-home-"));
  const file = join(home, "connector.ts");
  const imports = parts.map((part, n) => `import * as p${n} from "spoolway/sdk/${part}";`);
  const sums = parts.map((_part, n) => `Object.keys(p${n}).length > 0`).join(", ");
  writeFileSync(
    file,
    `import { SpoolwayError } from "spoolway/sdk";\n${imports.join("\n")}\nexport const all = [${sums}];\nexport { SpoolwayError };`,
  );
  const script = `
    const { resolveSdkFor } = await import(${JSON.stringify(join(projectRoot, "runtime/load-connector.ts"))});
    resolveSdkFor(${JSON.stringify(file)});
    const mine = await import(${JSON.stringify(file)});
    const { SpoolwayError } = await import(${JSON.stringify(join(projectRoot, "runtime/errors.ts"))});
    console.log(JSON.stringify([mine.all.length, mine.all.every(Boolean), mine.SpoolwayError === SpoolwayError]));
  `;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    cwd: home,
  });
  rmSync(home, { recursive: true });
  expect(JSON.parse(out)).toEqual([parts.length, true, true]);
});

test("every part says in its first line under which name it is imported", () => {
  const wrong = parts.filter((part) => {
    const text = readFileSync(join(projectRoot, "runtime/sdk", `${part}.ts`), "utf8");
    return !text.startsWith(`// spoolway/sdk/${part}: `);
  });
  expect(wrong).toEqual([]);
});

test("every part is in the table of docs/writing-a-connector.md, and nothing else", () => {
  const docs = readFileSync(join(projectRoot, "docs/writing-a-connector.md"), "utf8");
  const [, table = ""] = /\| `spoolway\/sdk\/…`.*\n\|[ -|]+\n((?:\|.*\n)+)/.exec(docs) ?? [];
  const named = table.split("\n").flatMap((row) => row.split("|")[1]?.match(/[a-z0-9/-]+/g) ?? []);
  expect(named.sort()).toEqual([...parts].sort());
});
