// Writes schema/types.ts and schema/validators/*.js from the *.schema.json files beside it.
// `--check` writes nothing and exits 1 when either is out of date; the test command runs it.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { Ajv } from "ajv";
import addFormatsModule from "ajv-formats";
import standaloneModule from "ajv/dist/standalone/index.js";
import { compile, type JSONSchema } from "json-schema-to-typescript";

const here = import.meta.dirname;
const header = "// Generated from the JSON Schemas in this folder by schema/generate.ts. Do not edit.\n";
const names = readdirSync(here)
  .filter((file) => file.endsWith(".schema.json"))
  .sort();
const schemas = new Map<string, Record<string, unknown>>(
  names.map((file) => [file, JSON.parse(readFileSync(`${here}/${file}`, "utf8"))]),
);

/** One TypeScript interface for each schema and for each titled definition in it. */
async function generateTypes(): Promise<string> {
  // One root that refers to all, so that a shared definition is written once.
  const root: JSONSchema = {
    title: "SpoolwayProtocol",
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(names.map((file) => [file.replace(".schema.json", ""), { $ref: file }])),
  };
  const text = await compile(root, "SpoolwayProtocol", {
    cwd: here,
    bannerComment: header,
    additionalProperties: false,
    style: { printWidth: 110 },
    $refOptions: { resolve: { http: false } },
  });
  const definitions = ["ExecMessage", "ExecDelivered", "ExecRefused"].filter(
    (title) => !text.includes(`interface ${title} `),
  );
  if (definitions.length > 0) {
    const exec = schemas.get("exec-line.schema.json") as { definitions: Record<string, object> };
    const extra = await Promise.all(
      definitions.map((title) => {
        const definition = exec.definitions[title.replace("Exec", "")] as { properties: object };
        const properties = JSON.parse(
          JSON.stringify(definition.properties).replaceAll(
            '{"$ref":"outgoing.schema.json"}',
            '{"tsType":"OutgoingMessage"}',
          ),
        );
        return compile({ ...definition, properties } as object, title, { bannerComment: "" });
      }),
    );
    return [text, ...extra].join("\n");
  }
  return text;
}

/**
 * Validators as plain code, so that a connector's process never loads a schema compiler. Two modules: what a connector's process needs, and the rest.
 */
const validatorModules: Record<string, readonly string[]> = {
  "messages.js": ["attempt", "dead-letter", "inbound", "outgoing", "receipt", "retry"],
  "host.js": ["connectors-file", "exec-line", "heartbeat", "manifest", "runtime", "supervisor"],
};

function generateValidators(bases: readonly string[]): string {
  const ajv = new Ajv({
    schemas: [...schemas.values()],
    code: { source: true, esm: true, optimize: 2 },
    allErrors: false,
    strict: true,
    allowUnionTypes: true,
    strictRequired: false,
  });
  ajv.addKeyword("tsType"); // the type generator's, no rule
  addFormatsModule.default(ajv, { mode: "fast", formats: ["date-time"] });
  const exported = Object.fromEntries(bases.map((base) => [validatorName(base), `${base}.schema.json`]));
  const code = standaloneModule.default(ajv, exported);
  // The generator emits require() for its two small helpers even in ESM mode.
  const imports: string[] = [];
  const body = code.replace(/require\("([^"]+)"\)(\.default)?/g, (_all, path: string, dflt?: string) => {
    const name = `dep${imports.length}`;
    imports.push(`import ${name} from "${path.endsWith(".js") ? path : `${path}.js`}";`);
    return name.concat(dflt ?? "");
  });
  return [header.trim(), ...imports, body].join("\n").concat("\n");
}

function validatorName(base: string): string {
  if (base === "outgoing") return "outgoingMessage";
  return base.replace(/-(.)/g, (_m, c: string) => c.toUpperCase());
}

const outputs: Array<[string, string]> = [
  [`${here}/types.ts`, await generateTypes()],
  ...Object.entries(validatorModules).map(([file, bases]): [string, string] => [
    `${here}/validators/${file}`,
    generateValidators(bases),
  ]),
];
const check = process.argv.includes("--check");
for (const [path, text] of outputs) {
  let current = "";
  try {
    current = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  if (current === text) continue;
  if (check) {
    console.error(`${path} is out of date: run npm run generate`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}
