// The schema compiler of configurations: a draft-07 schema → a Check that finds every mistake, applies defaults and notes secrets. Loading it and compiling takes a good
// part of a start: for what is our own schema/generate.ts does it beforehand (schema/validators/), and only a connector of somebody else brings it into the supervisor.
import { Ajv, type KeywordCxt, type Options } from "ajv";
import addFormats from "ajv-formats";
import { _, strConcat } from "ajv/dist/compile/codegen/index.js";
import names from "ajv/dist/compile/names.js";
import { draft07 } from "../../schema/validators/draft-07.js";
import type { Check } from "./validate.ts";

const options: Options = {
  allErrors: true,
  useDefaults: true,
  ownProperties: true, // `constructor` is missing unless it was written
  verbose: true,
  passContext: true,
  allowUnionTypes: true,
  validateSchema: false, // see compileSchema
  addUsedSchema: false, // two manifests may have the same $id
  strictSchema: true, // a typo in `secret` must not show a secret
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  logger: false,
};

/** `more`: for schema/generate.ts, which wants the code. */
export function createCompiler(more: Options = {}): Ajv {
  const ajv = new Ajv({ ...options, ...more });
  addFormats.default(ajv);
  ajv.addKeyword({ keyword: "secret", schemaType: "boolean", errors: false, code: noteSecret });
  return ajv;
}

/** Not a check: it runs wherever the schema says `secret`, also behind $ref, items and oneOf, and notes the place in the set that the Check was called on. */
function noteSecret({ schema, gen, it }: KeywordCxt): void {
  if (schema !== true) return;
  const at = strConcat(names.default.instancePath, it.errorPath);
  gen.code(_`if (this instanceof Set) this.add(${at});`);
}

const ajv = createCompiler();

const metaSchema = "http://json-schema.org/draft-07/schema#";
/** With ajv's other name for it; the # is nobody's. */
const draft07Names = new Set(["http://json-schema.org/draft-07/schema", "http://json-schema.org/schema"]);
const isDraft07 = (name: unknown): boolean => draft07Names.has(String(name).replace(/#$/, ""));

/** Throws what is wrong with the schema, in words for its author. */
export function compileSchema(schema: object): Check {
  if ("$async" in schema) throw new Error("$async is not supported");
  if ("$schema" in schema && !isDraft07(schema.$schema))
    throw new Error(`$schema is ${JSON.stringify(schema.$schema)}, expected ${metaSchema}`);
  // As ajv.validateSchema() does, which would compile the meta-schema first.
  if (!draft07(schema))
    throw new Error(ajv.errorsText(draft07.errors as typeof ajv.errors, { dataVar: "config" }));
  return ajv.compile(schema);
}

/** The schema of an entry's own keys: unknown ones are errors, also where the author did not say so. */
export function closed(config: Record<string, unknown>): Record<string, unknown> {
  const composed = ["$ref", "allOf", "anyOf", "oneOf", "if"].some((keyword) => keyword in config);
  return { ...(composed ? {} : { additionalProperties: false }), type: "object", ...config };
}
