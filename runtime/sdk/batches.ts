// spoolway/sdk/batches: a list in parts, for platforms that take so many at once and no more.

/** The same items in the same order, at most `size` in each part. */
export function inBatches<T>(items: readonly T[], size: number): T[][] {
  return items.flatMap((_item, n) => (n % size === 0 ? [items.slice(n, n + size)] : []));
}
