import { expect, test } from "vitest";
import { followOffset } from "../../../runtime/sdk/offset-loop.ts";

/** A queue that forgets what is below the offset, and what it was asked. */
function platform(...ids: number[]) {
  let queue = ids.map((update_id) => ({ update_id }));
  const ending = new AbortController();
  const asked: number[] = [];
  const taken: number[] = [];
  const run = (take: (id: number) => Promise<void> = async () => undefined) =>
    followOffset(
      { signal: ending.signal, heard: () => undefined },
      async (offset) => {
        asked.push(offset);
        if (offset > 0) queue = queue.filter(({ update_id }) => update_id >= offset);
        if (queue.length === 0) ending.abort();
        return queue.slice(0, 2);
      },
      async ({ update_id }) => {
        await take(update_id);
        taken.push(update_id);
      },
    );
  return { run, asked, taken, queue: () => queue.length };
}

test("each is taken in order, then confirmed by the next question; the offset is used once", async () => {
  const { run, asked, taken, queue } = platform(5, 6, 7);
  await run();
  expect(taken).toEqual([5, 6, 7]);
  expect(asked).toEqual([0, 7, 8]);
  expect(queue()).toBe(0);
});

test("what could not be taken is not confirmed, nor what comes after it", async () => {
  const { run, taken, queue } = platform(5, 6, 7);
  const full = async (id: number): Promise<void> => {
    if (id === 6) throw new Error("disk full");
  };
  await expect(run(full)).rejects.toThrow("disk full");
  expect(taken).toEqual([5]);
  expect(queue()).toBe(3);
});
