// ajv's errors in words for people: what was found, what was expected, what to do, and where. Never the value of a secret.
import type { ErrorObject } from "ajv";
import { strangeKey, type Node } from "./tree.ts";
import { findNode } from "./pointer.ts";
import type { Finding, SourceFile } from "./source.ts";
import { clip, didYouMean, nearest } from "./suggest.ts";
import { expected, describe } from "./wording.ts";

export interface Subject {
  root: Node;
  source: SourceFile;
  /** The root's name in messages, "" for none: `runtime` gives `runtime.rate`. */
  label: string;
  /** JSON Pointers of secret values. */
  secrets: ReadonlySet<string>;
  alsoKnown: readonly string[];
}

type Schema = Record<string, unknown>;

/** One finding for each mistake. */
export function explain(errors: readonly ErrorObject[], subject: Subject): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const error of withoutAlternatives(errors)) {
    const finding = explainOne(error, errors, subject);
    if (finding === undefined) continue;
    const key = `${finding.offset} ${finding.message}`;
    if (!seen.has(key)) findings.push(finding);
    seen.add(key);
  }
  return findings;
}

/** anyOf and oneOf report every branch and themselves. Kept: themselves where no branch fits by type, else what is wrong deeper in a branch. */
function withoutAlternatives(errors: readonly ErrorObject[]): ErrorObject[] {
  let kept: ErrorObject[] = [];
  for (const error of errors) {
    if (error.keyword === "if") continue; // the error of then or else stands beside it
    if (error.keyword !== "anyOf" && error.keyword !== "oneOf") {
      kept.push(error);
      continue;
    }
    const isBranch = (other: ErrorObject): boolean =>
      other.instancePath.startsWith(error.instancePath) &&
      (other.schemaPath.startsWith(`${error.schemaPath}/`) || !other.schemaPath.startsWith("#/properties"));
    const branches = kept.filter(isBranch);
    const deeper = branches.filter((other) => other.instancePath !== error.instancePath);
    kept = kept.filter((other) => !branches.includes(other));
    if (deeper.length > 0) {
      kept.push(...deeper);
    } else {
      const wanted = branches.filter(
        ({ keyword }) => keyword === "type" || keyword === "enum" || keyword === "const",
      );
      const texts = wanted
        .map((other) => expected(other)?.replace(/^expected /, ""))
        .filter((text) => text !== undefined);
      kept.push({ ...error, params: { ...error.params, wanted: [...new Set(texts)] } });
    }
  }
  return kept;
}

function explainOne(error: ErrorObject, all: readonly ErrorObject[], subject: Subject): Finding | undefined {
  const { source, root, secrets } = subject;
  const { node, rest, keyStart, path } = findNode(root, error.instancePath);
  if (node.kind === "scalar" && node.broken === true) return undefined;
  const schema = (error.parentSchema ?? {}) as Schema;
  const known = [
    ...Object.keys((schema.properties ?? {}) as Schema),
    ...(path.length === 0 ? subject.alsoKnown : []),
  ];
  const name = nameOf(path, subject.label);
  const described = typeof schema.description === "string" ? schema.description : undefined;

  if (error.keyword === "additionalProperties" || error.keyword === "unevaluatedProperties") {
    const key = String(error.params.additionalProperty ?? error.params.unevaluatedProperty);
    const entry = node.kind === "map" ? node.entries.get(key) : undefined;
    const written = node.kind === "map" ? strangeKey(node, key, source) : clip(key);
    // It may be a misspelt secret.
    if (entry) source.hide(entry.node.start, entry.node.end);
    const place = path.length > 0 || subject.label !== "" ? ` in \`${name}\`` : "";
    return {
      offset: entry?.keyStart ?? node.start,
      message: `unknown key \`${written}\`${place}`,
      hint:
        written === key
          ? didYouMean(key, known, "known keys")
          : "A colon with a space behind it, or a quote, may be missing.",
    };
  }
  if (error.keyword === "required") {
    const missing = String(error.params.missingProperty);
    // The misspelt key beside it has its own finding.
    const unknown = all.filter(
      (other) => other.instancePath === error.instancePath && other.keyword === "additionalProperties",
    );
    if (unknown.some((other) => nearest(String(other.params.additionalProperty), [missing]) !== undefined))
      return undefined;
    const property = ((schema.properties ?? {}) as Record<string, Schema | undefined>)[missing];
    const purpose = typeof property?.description === "string" ? ` (${property.description})` : "";
    return {
      offset: node.start,
      message: `\`${nameOf([...path, missing], subject.label)}\` is missing`,
      hint: `Add: ${missing}: …${purpose}`,
    };
  }
  const declared = [...secrets].some(
    (pointer) => error.instancePath === pointer || error.instancePath.startsWith(`${pointer}/`),
  );
  // A text where a list or group of secrets belongs is probably one of them.
  const secret = declared || (node.kind === "scalar" && /"secret":true|"\$ref"/.test(JSON.stringify(schema)));
  if (secret && !declared) source.hide(node.start, node.end);
  const found = rest.length > 0 ? "its default" : describe(node, secret);
  const offset = node.kind === "scalar" && node.start === node.end ? keyStart : node.start;
  return {
    offset,
    message: `\`${name}\` is ${found}, ${expected(error) ?? `it ${error.message ?? "is not allowed"}`}`,
    hint: sigilHint(node, source) ?? hintFor(error, node, described, secret),
  };
}

/** jobs[1].cron */
function nameOf(path: readonly string[], label: string): string {
  const name = [...(label === "" ? [] : [label]), ...path].reduce(
    (text, part) => (/^\d+$/.test(part) ? `${text}[${part}]` : text === "" ? part : `${text}.${part}`),
    "",
  );
  return name === "" ? "the entry" : name;
}

/** `channel: #dev` is an empty value and a comment; `password: &x` one with an anchor. */
function sigilHint(node: Node, source: SourceFile): string | undefined {
  if (node.kind !== "scalar" || node.value !== null) return undefined;
  const line = source.text.slice(source.text.lastIndexOf("\n", node.start - 1) + 1, node.start + 100);
  const sigil = /[:\-[,]\s+([#&])[^\s#]*/.exec(line)?.[1];
  const meaning = sigil === "#" ? "A # begins a comment" : sigil === "&" ? "A & begins an anchor" : undefined;
  return meaning === undefined ? undefined : `${meaning}: put a text that starts with it in quotes.`;
}

/** What YAML 1.1 took for true and false, and YAML 1.2 takes for text. */
const booleanWords: Record<string, string> = {
  yes: "true",
  on: "true",
  y: "true",
  no: "false",
  off: "false",
  n: "false",
};

function hintFor(
  error: ErrorObject,
  node: Node,
  described: string | undefined,
  secret: boolean,
): string | undefined {
  const written = node.kind === "scalar" && !node.inserted && !secret ? node.value : undefined;
  if (error.keyword === "type") {
    const wanted = ([] as string[]).concat(error.params.type as string | string[]);
    const text = typeof written === "string" ? written.toLowerCase() : "";
    if (wanted.includes("boolean") && Object.hasOwn(booleanWords, text)) {
      return `did you mean \`${booleanWords[text]}\`? (In YAML 1.2 \`${text}\` is a text.)`;
    }
    if (wanted.includes("boolean") && /^(true|false)$/.test(text))
      return `did you mean \`${text}\`, without quotes?`;
    if (wanted.some((type) => type === "integer" || type === "number") && /^-?\d+(\.\d+)?$/.test(text)) {
      return `did you mean \`${text}\`, without quotes?`;
    }
    if (wanted.includes("string") && node.kind === "scalar" && node.value !== null && !node.inserted) {
      return secret ? "Put it in quotes." : `Put it in quotes: "${clip(String(written))}"`;
    }
    if (wanted.includes("array") && node.kind === "scalar" && node.value !== null)
      return "Put it in brackets: [ … ]";
  }
  if (error.keyword === "enum" && typeof written === "string") {
    const near = nearest(
      written,
      (error.params.allowedValues as unknown[]).filter((value) => typeof value === "string"),
    );
    if (near !== undefined) return `did you mean \`${near}\`?`;
  }
  return described;
}
