// The soak's judgement: that it sees what is lost, doubled, out of order or growing. A soak that finds nothing proves nothing without this.
import { expect, test } from "vitest";
import { flatness, type Sample } from "../../soak/samples.ts";
import { compare, isWrong } from "../../soak/tally.ts";

const conversation = "alpha";
const wanted = ["a", "b", "c"].map((text) => ({ conversation, text }));
const seen = (...list: string[]) => list.map((text) => ({ id: `id-${text}`, conversation, text }));
const fine = { messages: 3, lost: 0, doubledSameId: 0, doubledOtherId: 0, outOfOrder: 0 };

test("everything in order is fine", () => {
  expect(compare(wanted, seen("a", "b", "c"))).toEqual(fine);
});

test("a lost message is seen", () => {
  expect(compare(wanted, seen("a", "c"))).toEqual({ ...fine, lost: 1 });
});

test("a message under the same id again is told apart from one under another id", () => {
  expect(compare(wanted, seen("a", "b", "b", "c"))).toEqual({ ...fine, doubledSameId: 1 });
  const other = [...seen("a", "b", "c"), { id: "other", conversation, text: "b" }];
  expect(compare(wanted, other)).toEqual({ ...fine, doubledOtherId: 1 });
});

test("a message that overtook another is seen, in its own conversation only", () => {
  expect(compare(wanted, seen("a", "c", "b"))).toEqual({ ...fine, outOfOrder: 1 });
  const elsewhere = [{ conversation: "beta", text: "d" }, ...wanted];
  const first = [...seen("a", "b", "c"), { id: "d", conversation: "beta", text: "d" }];
  expect(compare(elsewhere, first)).toEqual({ ...fine, messages: 4 });
});

test("only what the promises exclude is wrong", () => {
  const tally = { connector: "one", out: { ...fine, doubledSameId: 9 }, in: fine, wrongEnd: 0 };
  expect(isWrong(tally)).toBe(false);
  expect(isWrong({ ...tally, in: { ...fine, lost: 1 } })).toBe(true);
  expect(isWrong({ ...tally, out: { ...fine, outOfOrder: 1 } })).toBe(true);
  expect(isWrong({ ...tally, in: { ...fine, doubledOtherId: 1 } })).toBe(true);
  expect(isWrong({ ...tally, wrongEnd: 1 })).toBe(true);
});

/** Samples every second for so many minutes, of what these functions give for each minute. */
function rows(minutes: number, of: (minute: number) => Partial<Sample>): Map<string, Sample[]> {
  const samples = Array.from({ length: minutes * 60 }, (_, n) => ({
    atMs: n * 1000,
    rssMb: 80,
    descriptors: 30,
    watches: 4,
    ...of(n / 60),
  }));
  return new Map([["one", samples]]);
}

const growing = (samples: Map<string, Sample[]>) =>
  flatness(samples)
    .filter(({ flat }) => flat === false)
    .map(({ measure }) => measure);

test("what grows slowly for half an hour is seen", () => {
  expect(growing(rows(30, (minute) => ({ rssMb: 80 + minute * 1.5 })))).toEqual(["rssMb"]);
  expect(growing(rows(30, (minute) => ({ descriptors: 30 + Math.floor(minute / 4) })))).toEqual([
    "descriptors",
  ]);
  expect(growing(rows(30, (minute) => ({ watches: 4 + Math.floor(minute / 8) })))).toEqual(["watches"]);
});

test("a heap that settles, a short peak and processes in their first moments are not taken for growth", () => {
  expect(growing(rows(30, (minute) => ({ rssMb: 80 - 30 / (1 + minute * 4) })))).toEqual([]);
  expect(growing(rows(30, (minute) => ({ rssMb: minute > 20 && minute < 21 ? 300 : 80 })))).toEqual([]);
  expect(growing(rows(30, (minute) => ({ descriptors: minute % 0.5 < 0.1 ? 3 : 30 })))).toEqual([]);
});

test("a short run says that it is too short", () => {
  expect(flatness(rows(2, (minute) => ({ rssMb: minute * 100 }))).map(({ flat }) => flat)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
