/**
 * The keys of a resource in byte order, so that lists come out sorted and pages are stable.
 * An array with binary search: an insertion moves memory, which stays far below the price of the write that caused it
 * up to some 100,000 keys.
 */
export class SortedKeys {
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  add(key: string): void {
    const last = this.#keys.at(-1);
    if (last === undefined || last < key) {
      this.#keys.push(key);
      return;
    }
    const at = this.#lowerBound(key);
    if (this.#keys[at] !== key) this.#keys.splice(at, 0, key);
  }

  remove(key: string): void {
    const at = this.#lowerBound(key);
    if (this.#keys[at] === key) this.#keys.splice(at, 1);
  }

  /** Keys in [start, end); an empty `end` means to the last. */
  range(start: string, end: string): readonly string[] {
    if (start === '' && end === '') return this.#keys;
    return this.#keys.slice(this.#lowerBound(start), end === '' ? undefined : this.#lowerBound(end));
  }

  #lowerBound(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
