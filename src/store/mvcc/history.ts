import type { Revision } from '../store.ts';
import type { Version } from './version.ts';

/** Every version still held for watches from an old revision, oldest first. A queue that grows and is cut at the front. */
export class History {
  #versions: Version[] = [];
  #head = 0;

  get length(): number {
    return this.#versions.length - this.#head;
  }

  append(version: Version): void {
    this.#versions.push(version);
  }

  at(index: number): Version | undefined {
    return this.#versions[this.#head + index];
  }

  /** Index of the first version at or after `revision`; `length` when there is none. */
  indexOf(revision: Revision): number {
    let low = this.#head;
    let high = this.#versions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const version = this.#versions[middle];
      if (version !== undefined && version.modRevision < revision) low = middle + 1;
      else high = middle;
    }
    return low - this.#head;
  }

  /** Forgets the oldest `count` versions. */
  dropFirst(count: number): void {
    this.#head += count;
    // Moving the rest only when it is the smaller half keeps the cost per dropped version constant.
    if (this.#head * 2 < this.#versions.length) return;
    this.#versions = this.#versions.slice(this.#head);
    this.#head = 0;
  }
}
