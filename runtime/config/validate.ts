// JSON Schema over a tree with places: every mistake at once, values from ${…} coerced to what the schema wants, secrets found.
import type { ErrorObject } from "ajv";
import { toPlain, type MapNode, type Node, type ScalarNode } from "./tree.ts";
import { explain } from "./explain.ts";
import { isBare } from "./interpolate.ts";
import { findNode, pointerParts } from "./pointer.ts";
import type { Finding, SourceFile } from "./source.ts";

/** True when valid, else the errors stand in `.errors`. Applies defaults to `value`. As made by compiler.ts, now or beforehand (schema/validators/). */
export interface Check {
  /** Adds the JSON Pointers of all values whose schema says `secret: true` to `this`. */
  (this: Set<string>, value: unknown): boolean;
  errors?: ErrorObject[] | null;
}

export interface Checked {
  /** The value with defaults applied; only to be used when there are no findings. */
  value: Record<string, unknown>;
  findings: Finding[];
  /** What must never be logged. */
  secrets: string[];
}

/** `alsoKnown`: keys that stand in the same map but are checked elsewhere; for suggestions. */
export function checkNode(
  check: Check,
  node: MapNode,
  source: SourceFile,
  label: string,
  alsoKnown: readonly string[] = [],
): Checked {
  let pointers = new Set<string>();
  const run = (): { value: unknown; errors: ErrorObject[] } => {
    const value = toPlain(node);
    pointers = new Set();
    const valid = check.call(pointers, value);
    return { value, errors: valid ? [] : (check.errors ?? []) };
  };
  let { value, errors } = run();
  // Not filter().some(): every one has to be coerced.
  if (errors.filter((error) => coerce(error, node)).length > 0) ({ value, errors } = run());
  const secrets = new Set<string>();
  for (const pointer of pointers) {
    const at = findNode(node, pointer);
    if (at.rest.length === 0) hideSecrets(at.node, source);
    collectText(valueAt(value, pointer), secrets);
  }
  const findings = explain(errors, { root: node, source, label, secrets: pointers, alsoKnown });
  return { value: value as Record<string, unknown>, findings, secrets: [...secrets] };
}

/** A value that is one ${…} and must be a number or true/false: "8080" → 8080, in JSON's notation only. */
function coerce(error: ErrorObject, root: Node): boolean {
  if (error.keyword !== "type") return false;
  const { node, rest } = findNode(root, error.instancePath);
  if (
    node.kind !== "scalar" ||
    rest.length > 0 ||
    node.inserted?.whole !== true ||
    typeof node.value !== "string"
  )
    return false;
  const wanted = ([] as string[]).concat(error.params.type as string | string[]);
  if (wanted.includes("boolean") && (node.value === "true" || node.value === "false")) {
    setCoerced(node, node.value === "true");
    return true;
  }
  if (
    (wanted.includes("integer") || wanted.includes("number")) &&
    /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(node.value)
  ) {
    const number = Number(node.value);
    if (!Number.isFinite(number) || (Number.isInteger(number) && !Number.isSafeInteger(number))) return false;
    if (!wanted.includes("number") && !Number.isInteger(number)) return false;
    setCoerced(node, number);
    return true;
  }
  return false;
}

function setCoerced(node: ScalarNode, value: number | boolean): void {
  node.value = value;
  // A port or a switch is no secret, and masking every "true" in a log would help nobody.
  if (node.inserted) node.inserted.values = [];
}

function valueAt(value: unknown, pointer: string): unknown {
  let at = value;
  for (const part of pointerParts(pointer)) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}

/** Hides what is written there, except a bare ${NAME}. */
export function hideSecrets(node: Node, source: SourceFile): void {
  if (node.kind !== "scalar" || !isBare(node, source)) source.hide(node.start, node.end);
}

const minSecretLength = 4;

/** Texts shorter than this are not masked in logs: they are part of too many words. */
export function collectText(value: unknown, into: Set<string>): void {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) collectText(inner, into);
  } else if (typeof value === "string" || typeof value === "number") {
    if (String(value).length >= minSecretLength) into.add(String(value));
  }
}
