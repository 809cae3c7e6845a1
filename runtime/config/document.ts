// YAML text → a tree of values that knows where each of them stands.
//
//   text ──parse──▶ syntax errors: nothing can be trusted, no tree
//              └──▶ tree: aliases and merge keys (<<) expanded within limits, what JSON cannot hold refused at its place
//
// The YAML library's own conversion is not used: it keeps no places, and its limits on aliases cannot say which entry is to blame.
import { isAlias, isMap, isScalar, isSeq, parseDocument, Scalar, type ParsedNode, type YAMLMap } from "yaml";
import type { Finding, SourceFile } from "./source.ts";
import { explainSyntax } from "./syntax.ts";
import { clip, nearest } from "./suggest.ts";
import { strangeKey, type MapNode, type Node } from "./tree.ts";

export type Path = ReadonlyArray<string | number>;

/** A finding, and the path of the value that it is about. */
export type PlacedFinding = Finding & { path: Path };

const maxDepth = 64;
const maxExpandedPerEntry = 10_000;
const maxExpanded = 200_000;

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
