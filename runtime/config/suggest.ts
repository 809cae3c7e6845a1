// "Did you mean": the nearest of the words that would have been right.
import { distance } from "fastest-levenshtein";

/** The candidate that was probably meant, or undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const lower = word.toLowerCase();
  // Two slips in a word of six letters; in a short one only one, since everything is near to everything there.
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const steps = distance(lower, candidate.toLowerCase());
    if (steps < bestDistance) [best, bestDistance] = [candidate, steps];
  }
  return best;
}

/** "did you mean `x`?", else the list of what would be right. */
export function didYouMean(word: string, candidates: readonly string[], listed: string): string {
  const near = nearest(word, candidates);
  if (near !== undefined) return `did you mean \`${near}\`?`;
  if (candidates.length === 0) return `there are no ${listed}`;
  const shown = candidates.slice(0, 40).join(", ");
  return `${listed}: ${shown}${candidates.length > 40 ? ", …" : ""}`;
}
