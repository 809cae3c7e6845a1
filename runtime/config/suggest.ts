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
    const steps = slips(lower, candidate.toLowerCase());
    if (steps < bestDistance) [best, bestDistance] = [candidate, steps];
  }
  return best;
}

/** Letters to insert, remove or replace; two that changed places count as one. */
function slips(a: string, b: string): number {
  const steps = distance(a, b);
  return steps === 2 && [...a].sort().join("") === [...b].sort().join("") ? 1 : steps;
}

/** "did you mean `x`?", else the list of what would be right. */
export function didYouMean(word: string, candidates: readonly string[], listed: string): string {
  const near = nearest(word, candidates);
  if (near !== undefined) return `did you mean \`${near}\`?`;
  if (candidates.length === 0) return `There are no ${listed}.`;
  const shown = candidates.slice(0, 40).join(", ");
  return `${listed.charAt(0).toUpperCase()}${listed.slice(1)}: ${shown}${candidates.length > 40 ? ", …" : ""}.`;
}

/** What people wrote, for a message: a key may be a megabyte long. */
export function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
