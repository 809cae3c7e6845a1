// What was found and what was expected, as parts of a sentence.
import type { ErrorObject } from "ajv";
import { clip } from "./suggest.ts";
import type { Node } from "./tree.ts";

/** The value as it was written, shortened; of what came from outside only its origin. */
export function describe(node: Node, secret: boolean): string {
  if (node.kind === "list") return node.items.length === 0 ? "an empty list" : "a list";
  if (node.kind === "map") return "a group of keys";
  if (node.inserted) return `what ${node.inserted.labels.join(" and ")} stands for`;
  if (node.value === null) return "empty";
  if (secret) return `a ${typeof node.value === "string" ? "text" : typeof node.value} (not shown)`;
  if (typeof node.value !== "string") return String(node.value);
  return `the text ${JSON.stringify(clip(node.value))}`;
}

const typeNames: Record<string, string> = {
  string: "text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "a group of keys",
  null: "nothing",
};

/** "expected …", or undefined for a keyword that has no words here. */
export function expected(error: ErrorObject): string | undefined {
  const params = error.params as Record<string, unknown>;
  const limit = String(params.limit);
  switch (error.keyword) {
    case "type":
      return `expected ${or(([] as string[]).concat(params.type as string | string[]).map((type) => typeNames[type] ?? type))}`;
    case "enum":
      return `expected ${or((params.allowedValues as unknown[]).map(String))}`;
    case "const":
      return `expected ${String(params.allowedValue)}`;
    case "minimum":
      return `expected at least ${limit}`;
    case "maximum":
      return `expected at most ${limit}`;
    case "exclusiveMinimum":
      return `expected more than ${limit}`;
    case "exclusiveMaximum":
      return `expected less than ${limit}`;
    case "minLength":
      return limit === "1" ? "expected some text" : `expected at least ${limit} characters`;
    case "maxLength":
      return `expected at most ${limit} characters`;
    case "minItems":
      return `expected at least ${limit} of it`;
    case "maxItems":
      return `expected at most ${limit} of it`;
    case "uniqueItems":
      return `expected no two alike (items ${Number(params.j) + 1} and ${Number(params.i) + 1} are)`;
    case "minProperties":
      return `expected at least ${limit} keys`;
    case "maxProperties":
      return `expected at most ${limit} keys`;
    case "multipleOf":
      return `expected a multiple of ${String(params.multipleOf)}`;
    case "pattern":
      return `expected text like ${String(params.pattern)}`;
    case "format":
      return `expected the format ${String(params.format)}`;
    case "dependencies":
    case "dependentRequired":
      return `and \`${String(params.property)}\` needs \`${String(params.missingProperty)}\` beside it`;
    case "propertyNames":
      return `and its key \`${String(params.propertyName)}\` is not allowed`;
    case "anyOf":
    case "oneOf":
      return Array.isArray(params.wanted) && params.wanted.length > 0
        ? `expected ${or(params.wanted as string[])}`
        : undefined;
    default:
      return undefined;
  }
}

function or(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  const shown = words.slice(0, 30);
  return `${shown.slice(0, -1).join(", ")} or ${shown.at(-1)}`;
}
