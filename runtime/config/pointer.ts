// JSON Pointers, as ajv names places, in the tree of a source.
import type { Node } from "./tree.ts";

/** The deepest node on the way to the pointer, and what of the pointer is left. */
export function findNode(
  root: Node,
  pointer: string,
): { node: Node; rest: string[]; keyStart: number; path: string[] } {
  const path = pointerParts(pointer);
  let node = root;
  let keyStart = root.start;
  for (const [i, part] of path.entries()) {
    if (node.kind === "map") {
      const entry = node.entries.get(part);
      if (!entry) return { node, rest: path.slice(i), keyStart, path };
      ({ node, keyStart } = entry);
    } else if (node.kind === "list") {
      const item: Node | undefined = node.items[Number(part)];
      if (!item) return { node, rest: path.slice(i), keyStart, path };
      node = item;
      keyStart = item.start;
    } else {
      return { node, rest: path.slice(i), keyStart, path };
    }
  }
  return { node, rest: [], keyStart, path };
}

export function pointerParts(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}
