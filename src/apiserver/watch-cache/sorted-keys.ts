/**
 * The keys of a resource in order, so that lists come out sorted and pages are stable.
 *
 * Kept in blocks of bounded size: one sorted array would move half of itself with every insertion, which at 100,000
 * keys costs more than the write that caused it. Finding a key is a binary search among the blocks, then in one.
 */

/** A block that grows beyond it is split in two. */
const MAX_BLOCK_KEYS = 512;

export class SortedKeys {
  readonly #blocks: string[][] = [[]];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(key: string): void {
    const at = this.#blockOf(key);
    const block = this.#blocks[at] ?? [];
    const position = lowerBound(block, key);
    if (block[position] === key) return;
    if (position === block.length) block.push(key);
    else block.splice(position, 0, key);
    this.#size++;
    if (block.length > MAX_BLOCK_KEYS) this.#blocks.splice(at + 1, 0, block.splice(block.length >>> 1));
  }

  remove(key: string): void {
    const at = this.#blockOf(key);
    const block = this.#blocks[at] ?? [];
    const position = lowerBound(block, key);
    if (block[position] !== key) return;
    block.splice(position, 1);
    this.#size--;
    if (block.length === 0 && this.#blocks.length > 1) this.#blocks.splice(at, 1);
  }

  /** Keys in [start, end); an empty `end` means to the last. Not to be held across changes. */
  *range(start: string, end: string): Generator<string> {
    const first = start === '' ? 0 : this.#blockOf(start);
    for (let at = first; at < this.#blocks.length; at++) {
      const block = this.#blocks[at] ?? [];
      for (let i = at === first ? lowerBound(block, start) : 0; i < block.length; i++) {
        const key = block[i] ?? '';
        if (end !== '' && key >= end) return;
        yield key;
      }
    }
  }

  /** The last block that starts at or before `key`. */
  #blockOf(key: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle]?.[0] ?? '') <= key) low = middle;
      else high = middle;
    }
    return low;
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
