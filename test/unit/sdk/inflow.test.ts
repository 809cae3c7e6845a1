// What is pushed at us, taken one after the other: in order, in bounded memory, and none of it after the end.
import { expect, test } from "vitest";
import { Inflow } from "../../../runtime/sdk/inflow.ts";

/** A source that counts how often it was told to wait and to go on. */
const source = () => {
  const told: string[] = [];
  return { told, pause: () => told.push("pause"), resume: () => told.push("resume") };
};

test("items come in the order in which they were added, also to somebody who waits already", async () => {
  const inflow = new Inflow<number>(source());
  const waiting = inflow.next();
  inflow.add(1);
  inflow.add(2);
  expect(await waiting).toBe(1);
  expect(await inflow.first()).toBe(2);
  expect(inflow.isEmpty).toBe(false);
  expect(await inflow.next()).toBe(2);
  expect(inflow.isEmpty).toBe(true);
});

test("too many that nobody takes pause the source, until half of them are taken", async () => {
  const from = source();
  const inflow = new Inflow<number>(from, 4);
  for (let n = 0; n < 6; n++) inflow.add(n);
  expect(from.told).toEqual(["pause"]);
  expect(inflow.isPaused).toBe(true);
  for (let n = 0; n < 3; n++) expect(await inflow.next()).toBe(n);
  expect(from.told).toEqual(["pause"]);
  expect(await inflow.next()).toBe(3);
  expect(from.told).toEqual(["pause", "resume"]);
  expect(inflow.isPaused).toBe(false);
});

test("after the end the reason comes, the first of several, and nothing else", async () => {
  const inflow = new Inflow<number>(source());
  inflow.add(1);
  inflow.end(new Error("first"));
  inflow.end(new Error("second"));
  inflow.add(2);
  await expect(inflow.next()).rejects.toThrow("first");
  const other = new Inflow<number>(source());
  const waiting = other.next();
  other.end(new Error("over"));
  await expect(waiting).rejects.toThrow("over");
});
