// What was left out is said soon, also when nothing comes after it.
import { expect, test } from "vitest";
import { RateCap } from "../../../runtime/sdk/rate-cap.ts";
import { waitFor } from "../../helpers/wait.ts";

test("lines above the cap are counted, and their number is said within about a second", async () => {
  const reports: number[] = [];
  const cap = new RateCap(3, (suppressed) => reports.push(suppressed));
  expect(Array.from({ length: 10 }, () => cap.allows()).filter(Boolean)).toHaveLength(3);
  await waitFor(() => reports.length > 0);
  expect(reports).toEqual([7]);
  expect(cap.allows()).toBe(true);
  cap.flush();
  expect(reports).toEqual([7]);
});
