// The tree of values that a YAML text is read into: plain JSON, and where each value stands.
import type { SourceFile } from "./source.ts";
import { clip } from "./suggest.ts";

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
