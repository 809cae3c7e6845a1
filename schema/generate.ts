// Writes schema/types.ts and schema/validators/ from the *.schema.json files beside it and the manifests of the connectors, connectors/<type>/manifest.d.ts, the type of a
// connector's config, from its manifest, and docs/connectors.md from all of them. `--check` writes nothing and exits 1 when one of them is out of date; the test command runs it.
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import addFormatsModule from "ajv-formats";
import standaloneModule from "ajv/dist/standalone/index.js";
import { compile, type JSONSchema } from "json-schema-to-typescript";
import { canonicalJson, sha256 } from "../runtime/config/canonical.ts";
import { closed, createCompiler } from "../runtime/config/compiler.ts";
import { connectorsPage } from "./connectors-page.ts";
import type { Manifest } from "./types.ts";

const here = import.meta.dirname;
const connectors = join(here, "../connectors");
const typeChecks = join(here, "validators/types");
const header = "// Generated from the JSON Schemas in this folder by schema/generate.ts. Do not edit.\n";
const names = readdirSync(here)
  .filter((file) => file.endsWith(".schema.json"))
  .sort();
const schemas = new Map<string, Record<string, unknown>>(
  names.map((file) => [file, JSON.parse(readFileSync(`${here}/${file}`, "utf8"))]),
);

function schema(base: string): Record<string, unknown> {
  const found = schemas.get(`${base}.schema.json`);
  if (found === undefined) throw new Error(`there is no ${base}.schema.json`);
  return found;
}

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
  return moduleOf(ajv, exported);
}

/** What people write is checked for every mistake at once, which takes other options; else as above. */
function generateChecks(toCheck: Record<string, object>): string {
  const ajv = createCompiler({
    code: { source: true, esm: true },
    schemas: [...schemas.values()],
    addUsedSchema: true,
  });
  ajv.addKeyword("tsType");
  for (const [name, schema] of Object.entries(toCheck)) ajv.addSchema(schema, name);
  return moduleOf(ajv, Object.fromEntries(Object.keys(toCheck).map((name) => [name, name])));
}

/** The module that exports these validators of the compiler, by name. */
function moduleOf(ajv: Ajv, exported: Record<string, string>): string {
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

/** For every connector that is a part of the project: the check of an entry's own keys, and the hash of the manifest that it was made from. */
function generateTypeChecks(): Array<[string, string]> {
  return manifests().map(({ type, manifest }) => {
    const hash = `export const hash = "${sha256(canonicalJson(manifest))}";\n`;
    const check = generateChecks({ check: closed(manifest.config) });
    return [`${typeChecks}/${type}.js`, check + hash];
  });
}

function validatorName(base: string): string {
  if (base === "outgoing") return "outgoingMessage";
  return base.replace(/-(.)/g, (_m, c: string) => c.toUpperCase());
}

function manifests(): Array<{ type: string; manifest: Manifest }> {
  return readdirSync(connectors).flatMap((type) => {
    const file = `${connectors}/${type}/manifest.json`;
    return existsSync(file) ? [{ type, manifest: JSON.parse(readFileSync(file, "utf8")) as Manifest }] : [];
  });
}

/** For each connector that can be configured, what it gets as ctx.config: defaults are applied, so a key that has one is always there. */
async function generateConfigs(): Promise<Array<[string, string]>> {
  const outputs: Array<[string, string]> = [];
  for (const { type, manifest } of manifests()) {
    const config = manifest.config as JSONSchema;
    if (Object.keys(config?.properties ?? {}).length === 0) continue;
    const text = await compile(withDefaults(config) as JSONSchema, "Config", {
      bannerComment: "// Generated from manifest.json by schema/generate.ts. Do not edit.\n",
      additionalProperties: false,
      ignoreMinAndMaxItems: true, // else a list with a limit is a union of tuples
      style: { printWidth: 110 },
    });
    outputs.push([`${connectors}/${type}/manifest.d.ts`, text]);
  }
  return outputs;
}

/** The page of all connectors that are a part of the project. */
function generatePage(): string {
  const listed = manifests().map(({ type, manifest }) => {
    const file = `${connectors}/${type}/package.json`;
    const { dependencies = {} } = (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {}) as {
      dependencies?: Record<string, string>;
    };
    return { manifest, libraries: dependencies };
  });
  return connectorsPage(listed);
}

/** The schema with every key required that has a default. */
function withDefaults(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withDefaults);
  if (typeof schema !== "object" || schema === null) return schema;
  const all = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withDefaults(value)]));
  const { properties = {}, required = [] } = schema as JSONSchema & { required?: string[] };
  const filled = Object.keys(properties).filter((key) => properties[key]?.default !== undefined);
  return filled.length === 0 ? all : { ...all, required: [...new Set([...required, ...filled])] };
}

const outputs: Array<[string, string]> = [
  [`${here}/types.ts`, await generateTypes()],
  ...Object.entries(validatorModules).map(([file, bases]): [string, string] => [
    `${here}/validators/${file}`,
    generateValidators(bases),
  ]),
  [
    `${here}/validators/config.js`,
    generateChecks({
      checkRuntime: schema("runtime"),
      checkDefaults: schema("defaults"),
      checkPolicyEntry: (schema("policy").definitions as { PolicyEntry: object }).PolicyEntry,
    }),
  ],
  ...generateTypeChecks(),
  ...(await generateConfigs()),
  [join(here, "../docs/connectors.md"), generatePage()],
];
const check = process.argv.includes("--check");
for (const [path, text] of outputs) {
  let current = "";
  try {
    current = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  // A connector that does not use its type does not have to have it: a new one is checked without.
  if (current === text || (check && current === "" && path.endsWith("/manifest.d.ts"))) continue;
  if (check) {
    console.error(`${path} is out of date: run npm run generate`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}
// Of a connector that is gone.
for (const file of readdirSync(typeChecks)) {
  const path = `${typeChecks}/${file}`;
  if (outputs.some(([output]) => output === path)) continue;
  if (check) {
    console.error(`${path} belongs to no connector: run npm run generate`);
    process.exitCode = 1;
  } else {
    rmSync(path);
    console.log(`removed ${path}`);
  }
}
