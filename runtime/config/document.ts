// YAML text → a tree of values that knows where each of them stands.
//
//   text ──parse──▶ syntax errors: nothing can be trusted, no tree
//              └──▶ tree: aliases and merge keys (<<) expanded within limits, what JSON cannot hold refused at its place
//
// The YAML library's own conversion is not used: it keeps no places, and its limits on aliases cannot say which entry is to blame.
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  Scalar,
  YAMLError,
  type ParsedNode,
  type YAMLMap,
} from "yaml";
import type { Finding, SourceFile } from "./source.ts";
import { clip, nearest } from "./suggest.ts";

export type Path = ReadonlyArray<string | number>;

interface Placed {
  start: number;
  end: number;
}
export interface MapNode extends Placed {
  kind: "map";
  entries: Map<string, { keyStart: number; keyEnd: number; node: Node }>;
}
export interface ListNode extends Placed {
  kind: "list";
  items: Node[];
}
export interface ScalarNode extends Placed {
  kind: "scalar";
  value: string | number | boolean | null;
  /** A mistake in it was reported already: nothing more is said about it. */
  broken?: boolean;
  /** What was inserted for its ${…}. */
  inserted?: { labels: string[]; whole: boolean; values: string[] };
}
export type Node = MapNode | ListNode | ScalarNode;

/** A finding, and the path of the value that it is about. */
export type PlacedFinding = Finding & { path: Path };

const maxDepth = 64;
const maxExpandedPerEntry = 10_000;
const maxExpanded = 200_000;
const maxSyntaxFindings = 20;

export interface ParsedSource {
  /** Undefined for a file with nothing in it, or with syntax errors. */
  root?: Node;
  syntax: Finding[];
  findings: PlacedFinding[];
}

export function parseSource(source: SourceFile): ParsedSource {
  const control = /[^\P{Cc}\t\n\r]/u.exec(source.text); // a control character (Cc), but not tab and line ends
  if (control) {
    const code = control[0].charCodeAt(0).toString(16).padStart(4, "0");
    const finding = {
      offset: control.index,
      message: `a control character (U+${code})`,
      hint: "Remove it.",
      unparsed: true,
    };
    return { syntax: [finding], findings: [] };
  }
  const document = parseDocument(source.text, {
    prettyErrors: false,
    uniqueKeys: false, // checked below, where the entry is known; and the library's check is quadratic
    stringKeys: true,
    schema: "core", // also below %YAML 1.1: `no` is a text everywhere
    merge: false,
    resolveKnownTags: false,
  });
  if (document.errors.length > 0) return { syntax: explainSyntax(document.errors, source), findings: [] };
  if (document.contents === null) return { syntax: [], findings: [] };
  const reader = new TreeReader(source);
  const root = reader.read(document.contents, []);
  return { root, syntax: [], findings: reader.findings };
}

const tabFinding = ["a tab as indentation", "Use spaces: YAML allows no tabs there."] as const;
const syntaxText: Partial<Record<YAMLError["code"], readonly [message: string, hint: string]>> = {
  TAB_AS_INDENT: tabFinding,
  BAD_INDENT: [
    "the indentation fits no line above",
    "Give everything of one entry the same number of spaces.",
  ],
  MULTIPLE_DOCS: ["a second document (---)", "Put everything in one document."],
  BLOCK_AS_IMPLICIT_KEY: [
    "a second key in the same line",
    'Check the indentation of the next lines; put a value that contains ": " in quotes.',
  ],
  MULTILINE_IMPLICIT_KEY: [
    "a key over several lines",
    "Check the indentation, and that every key has its colon and a space.",
  ],
  BAD_DQ_ESCAPE: ["an unknown escape in a double-quoted text", "Use single quotes, or write each \\ twice."],
  BAD_SCALAR_START: ["a value cannot start with this character", "Put the value in quotes."],
  RESOURCE_EXHAUSTION: ["nested too deeply", `Nest at most ${maxDepth} levels.`],
  NON_STRING_KEY: ["a key that is a list or a group", "Keys must be plain words."],
  TAG_RESOLVE_FAILED: ["a tag (!) that does not fit its value", "Remove the tag."],
  BAD_DIRECTIVE: ["a directive (%) that is not known", "Remove the line."],
  UNEXPECTED_TOKEN: [
    "this does not belong here",
    "Check the indentation, quotes and brackets of this line and the one above.",
  ],
};

/** One mistake makes the parser stumble many times: the first of each line is reported. */
function explainSyntax(errors: readonly YAMLError[], source: SourceFile): Finding[] {
  const tabs = errors.filter((error) => error.code === "TAB_AS_INDENT");
  const lines = new Set<number>();
  const findings: Finding[] = [];
  for (const error of (tabs.length > 0 ? tabs : [...errors]).sort((a, b) => a.pos[0] - b.pos[0])) {
    const comment = commentInFlow(error, source.text);
    const offset = comment ?? Math.min(error.pos[0], source.text.length);
    const { line } = source.lines.linePos(offset);
    if (lines.has(line)) continue;
    lines.add(line);
    if (error.code === "RESOURCE_EXHAUSTION" && findings.length > 0) break;
    if (findings.length === maxSyntaxFindings) {
      findings.push({
        offset,
        message: "and more mistakes below",
        hint: "Correct the ones above first.",
        unparsed: true,
      });
      break;
    }
    // Where the library quotes the source, and with it perhaps a secret, our text stands in the table; the end is cut to be sure.
    const [message, hint] = (comment === undefined ? syntaxText[error.code] : commentText) ?? [
      lowerFirst(error.message.replace(/: ".*$/s, "")),
      undefined,
    ];
    findings.push({
      offset,
      message: `not valid YAML: ${message}`,
      hint: flowHint(source, offset) ?? hint,
      unparsed: true,
    });
  }
  return findings;
}

const commentText = [
  "a # begins a comment here",
  'If it belongs to a text, put it in quotes: ["#dev"]',
] as const;

/** `[#dev, #ops]` is no list of two texts: where the # stands, if that is what the parser stumbled over. */
function commentInFlow(error: YAMLError, text: string): number | undefined {
  if (error.message.startsWith("Comments must be separated")) return error.pos[0];
  if (!error.message.startsWith("Flow ")) return undefined;
  const from = Math.max(0, error.pos[0] - 1000);
  const found = /[[{,:]\s*#[^\s\]}][^\n]*\s*$/.exec(text.slice(from, error.pos[0]));
  return found ? from + found.index + found[0].indexOf("#") : undefined;
}

/** `[ ${X} ]` is not YAML: the brace would begin a group. */
function flowHint(source: SourceFile, offset: number): string | undefined {
  const start = source.text.lastIndexOf("\n", offset - 1) + 1;
  const end = source.text.indexOf("\n", offset);
  const line = source.text.slice(start, end === -1 ? undefined : end);
  const at = line.indexOf("${");
  return at > 0 && /[[{]/.test(line.slice(0, at))
    ? 'Inside { } and [ ] put it in quotes: "${NAME}"'
    : undefined;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

const coreTags = new Set(
  ["str", "int", "float", "bool", "null", "map", "seq"].map((tag) => `tag:yaml.org,2002:${tag}`),
);

class TreeReader {
  readonly findings: PlacedFinding[] = [];
  private readonly source: SourceFile;
  private readonly anchors = new Map<string, ParsedNode>();
  /** Nodes being read now: an alias to one of them would never end. */
  private readonly open = new Set<ParsedNode>();
  private expandedInEntry = 0;
  private expanded = 0;
  private aliases = 0;

  constructor(source: SourceFile) {
    this.source = source;
  }

  read(node: ParsedNode | null, path: Path, fallbackAt = 0): Node {
    if (path.length === 2 && this.aliases === 0) this.expandedInEntry = 0;
    if (node === null) return { kind: "scalar", value: null, start: fallbackAt, end: fallbackAt };
    const [start, end] = node.range;
    const refuse = (message: string, hint: string): Node => {
      this.findings.push({ offset: start, path, message, hint });
      return { kind: "scalar", value: null, broken: true, start, end };
    };
    if (path.length > maxDepth) return refuse("nested too deeply", `Nest at most ${maxDepth} levels.`);
    if (this.aliases > 0) {
      this.expanded += 1;
      this.expandedInEntry += 1;
      if (this.expandedInEntry > maxExpandedPerEntry || this.expanded > maxExpanded) {
        return this.expandedInEntry === maxExpandedPerEntry + 1 || this.expanded === maxExpanded + 1
          ? refuse(
              `the aliases (*) here stand for more than ${maxExpandedPerEntry} values`,
              "Write it out, or use fewer aliases.",
            )
          : { kind: "scalar", value: null, broken: true, start, end };
      }
    }
    if (isAlias(node)) {
      const target = this.anchors.get(node.source);
      if (target === undefined) {
        // A password that begins with * looks like this too: its name is shown only where it was nearly right.
        const near = nearest(node.source, this.anchors.keys());
        if (near !== undefined)
          return refuse(`*${clip(node.source)} refers to nothing`, `did you mean \`*${near}\`?`);
        this.source.hide(start, end);
        return refuse(
          "an alias (*) of nothing that stands above it",
          "If it is a text that begins with *, put it in quotes.",
        );
      }
      if (this.open.has(target)) return refuse("an alias (*) of what it stands in", "Write the value out.");
      this.aliases += 1;
      const expanded = this.read(target, path);
      this.aliases -= 1;
      return expanded;
    }
    if (node.anchor !== undefined) this.anchors.set(node.anchor, node);
    if (node.tag !== undefined && !coreTags.has(node.tag)) {
      this.source.hide(start, end);
      return refuse(
        "a tag (!) that is not known",
        "Remove it; if it is the beginning of a text, put that in quotes.",
      );
    }
    this.open.add(node);
    try {
      if (isMap(node)) return this.readMap(node as YAMLMap.Parsed, path);
      if (isSeq(node)) {
        return {
          kind: "list",
          start,
          end,
          items: node.items.map((item, i) => this.read(item as ParsedNode, [...path, i], start)),
        };
      }
      return this.readScalar(node as Scalar.Parsed, refuse);
    } finally {
      this.open.delete(node);
    }
  }

  private readMap(node: YAMLMap.Parsed, path: Path): Node {
    const map: MapNode = { kind: "map", start: node.range[0], end: node.range[1], entries: new Map() };
    const merged: Node[] = [];
    for (const { key, value } of node.items) {
      const [keyStart, keyEnd] = key.range;
      const name = isScalar(key) ? String(key.value ?? "") : "";
      const at = { offset: keyStart, path: [...path, name] };
      if (name === "<<" && isScalar(key) && key.type === Scalar.PLAIN) {
        merged.push(this.read(value, path, keyEnd));
        continue;
      }
      const child = this.read(value, [...path, name], keyEnd);
      const first = map.entries.get(name);
      if (name === "__proto__") {
        this.source.hide(child.start, child.end);
        this.findings.push({
          ...at,
          path,
          message: "the key `__proto__` is not allowed",
          hint: "Remove or rename it.",
        });
      } else if (first) {
        for (const { start, end } of [child, first.node]) this.source.hide(start, end);
        const { line } = this.source.lines.linePos(first.keyStart);
        if (strangeKey(map, name, this.source) !== name) this.source.hide(keyStart, keyEnd);
        this.findings.push({
          ...at,
          message: `the key \`${strangeKey(map, name, this.source)}\` is there twice, first in line ${line}`,
          hint: "Keep one of them.",
        });
      } else {
        map.entries.set(name, { keyStart, keyEnd, node: child });
      }
    }
    for (const node of merged) this.merge(map, node, path);
    return map;
  }

  /** What stands in the map itself wins; of several merged ones the first. */
  private merge(map: MapNode, from: Node, path: Path): void {
    if (from.kind === "list") return from.items.forEach((item) => this.merge(map, item, path));
    if (from.kind === "map") {
      for (const [name, entry] of from.entries) if (!map.entries.has(name)) map.entries.set(name, entry);
    } else if (from.broken !== true) {
      this.source.hide(from.start, from.end);
      this.findings.push({
        offset: from.start,
        path,
        message: "`<<` needs a group of keys",
        hint: "Write <<: *anchor",
      });
    }
  }

  private readScalar(node: Scalar.Parsed, refuse: (message: string, hint: string) => Node): Node {
    const [start, end] = node.range;
    const value: unknown = node.value;
    if (typeof value === "number") {
      const quotes = "If it is text (an id, a phone number), put it in quotes.";
      const wrong = !Number.isFinite(value)
        ? "not a finite number"
        : Number.isInteger(value) && !Number.isSafeInteger(value)
          ? "a number with too many digits: it would be changed"
          : /^[-+]?0\d/.test(node.source ?? "")
            ? "a number that starts with 0"
            : undefined;
      if (wrong !== undefined) {
        this.source.hide(start, end);
        return refuse(wrong, quotes);
      }
      return { kind: "scalar", value, start, end };
    }
    if (typeof value === "string" || typeof value === "boolean" || value === null)
      return { kind: "scalar", value, start, end };
    this.source.hide(start, end);
    return refuse("a value that JSON does not know", "Write text, a number, true or false.");
  }
}

/**
 * A key that should not be there, as it may be shown: where a colon or a quote was forgotten, it is or holds a value, and that may be a secret.
 */
export function strangeKey(map: MapNode, key: string, source: SourceFile): string {
  const entry = map.entries.get(key);
  const [word = ""] = /^[A-Za-z_][\w.-]*/.exec(key) ?? [];
  const hasColon = entry !== undefined && entry.node.start !== entry.keyEnd;
  if (word === key && hasColon && key.length <= 60) return key;
  if (entry) source.hide(entry.keyStart, entry.keyEnd);
  return hasColon && word !== key && word !== "" ? `${clip(word)} …` : "…";
}

/** The tree as plain JSON. `__proto__` keys were refused before. */
export function toPlain(node: Node): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(toPlain);
  const out: Record<string, unknown> = {};
  for (const [key, entry] of node.entries) out[key] = toPlain(entry.node);
  return out;
}

/** Every scalar below (and including) the node. */
export function* scalars(node: Node): Generator<ScalarNode> {
  if (node.kind === "scalar") yield node;
  else if (node.kind === "list") for (const item of node.items) yield* scalars(item);
  else for (const entry of node.entries.values()) yield* scalars(entry.node);
}
