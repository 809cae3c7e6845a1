// What is new in a list that is read again and again.
import { describe, expect, test } from "vitest";
import { type Item, type KnownItem, newsOf, oldestFirst } from "../../../runtime/sdk/known-items.ts";

const item = (id: string, print: string, twin = ""): Item => ({ id, print, twin });

/** What is told about the list, as "id revision", and what is kept. */
async function read(items: Item[], kept: KnownItem[] = []): Promise<{ told: string[]; kept: KnownItem[] }> {
  const told: string[] = [];
  const now = await newsOf(
    items,
    kept,
    async ({ print }, { revision }) => void told.push(`${print} ${revision}`),
  );
  return { told, kept: now };
}

describe("newsOf", () => {
  test("tells each item once, and each change with a number of its own, also back to what it was", async () => {
    const first = await read([item("1", "a"), item("2", "b")]);
    expect(first.told).toEqual(["a 0", "b 0"]);
    const same = await read([item("1", "a"), item("2", "b")], first.kept);
    expect(same.told).toEqual([]);
    const changed = await read([item("1", "A"), item("2", "b"), item("3", "c")], same.kept);
    expect(changed.told).toEqual(["A 1", "c 0"]);
    expect((await read([item("1", "a")], changed.kept)).told).toEqual(["a 2"]);
  });

  test("keeps nothing when one could not be told", async () => {
    await expect(newsOf([item("1", "a")], [], () => Promise.reject(new Error("full")))).rejects.toThrow(
      "full",
    );
  });

  test("tells items with one id apart, the very same once, also when the first of them is gone", async () => {
    const list = [item("x", "a", "A"), item("x", "b", "B"), item("x", "b", "B")];
    const first = await read(list);
    expect(first.told).toEqual(["a 0", "b 0"]);
    expect((await read(list, first.kept)).told).toEqual([]);
    expect((await read(list.slice(1), first.kept)).told).toEqual([]);
  });

  test("forgets what was not in the list for long, the oldest first", async () => {
    let { kept } = await read([item("old", "o")]);
    for (let n = 0; n < 1000; n++) ({ kept } = await read([item(`${n}`, "p")], kept));
    expect(kept).toHaveLength(1000);
    expect((await read([item("0", "p"), item("old", "o")], kept)).told).toEqual(["o 0"]);
  });
});

test("oldestFirst goes by time where all have one, else from the end to the beginning", () => {
  expect(oldestFirst([3, 1, 2], (n) => n)).toEqual([1, 2, 3]);
  expect(oldestFirst([3, Number.NaN, 2], (n) => n)).toEqual([2, Number.NaN, 3]);
});
