// Which ids of many there are, in 16 to 32 bytes for each however long it is: a table of 52-bit hashes, open addressing. Two ids with one hash (one pair in a thousand
// runs with a million of them) count as one: who needs certainty looks on the disk.
const emptyKey = 0;
const smallest = 1024;

export class IdSet {
  #keys = new Float64Array(smallest);
  size = 0;

  has(id: string): boolean {
    return this.#keys[this.#find(keyOf(id))] !== emptyKey;
  }

  add(id: string): void {
    const key = keyOf(id);
    const at = this.#find(key);
    if (this.#keys[at] !== emptyKey) return;
    this.#keys[at] = key;
    this.size += 1;
    if (this.size * 2 > this.#keys.length) this.#grow();
  }

  delete(id: string): void {
    const mask = this.#keys.length - 1;
    let hole = this.#find(keyOf(id));
    if (this.#keys[hole] === emptyKey) return;
    this.size -= 1;
    // What lies behind moves up, where it is not at its own place: a hole would hide it.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const key = this.#keys[at] ?? emptyKey;
      if (key === emptyKey) break;
      if (((at - this.#home(key)) & mask) < ((at - hole) & mask)) continue;
      this.#keys[hole] = key;
      hole = at;
    }
    this.#keys[hole] = emptyKey;
  }

  /** Where the key is, or would be. */
  #find(key: number): number {
    const mask = this.#keys.length - 1;
    let at = this.#home(key);
    while (this.#keys[at] !== emptyKey && this.#keys[at] !== key) at = (at + 1) & mask;
    return at;
  }

  #home(key: number): number {
    return Math.floor(key / 2 ** 20) & (this.#keys.length - 1);
  }

  #grow(): void {
    const keys = this.#keys;
    this.#keys = new Float64Array(keys.length * 2);
    for (const key of keys) if (key !== emptyKey) this.#keys[this.#find(key)] = key;
  }
}

/** Two FNV-1a hashes with different starts: 32 bits of one, 20 of the other; never 0. */
function keyOf(id: string): number {
  let high = 0x811c9dc5;
  let low = 0x9e3779b9;
  for (let n = 0; n < id.length; n += 1) {
    const code = id.charCodeAt(n);
    high = Math.imul(high ^ code, 0x01000193);
    low = Math.imul(low ^ code, 0x01000193) ^ (low >>> 15);
  }
  return (high >>> 0) * 2 ** 20 + ((low >>> 0) & 0xfffff) || 1;
}
