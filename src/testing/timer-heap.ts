export interface HeldTimer {
  readonly at: number;
  /** Breaks ties: of two timers due at the same moment the one set first runs first. */
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

const before = (a: HeldTimer, b: HeldTimer): boolean => (a.at === b.at ? a.order < b.order : a.at < b.at);

/** Timers by due time: a binary heap, for a simulated day holds tens of thousands of them. */
export class TimerHeap {
  readonly #heap: HeldTimer[] = [];

  push(timer: HeldTimer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(timer, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
  }

  /** The next timer that was not cancelled. */
  peek(): HeldTimer | undefined {
    while (this.#heap[0]?.cancelled === true) this.#removeFirst();
    return this.#heap[0];
  }

  pop(): HeldTimer | undefined {
    const first = this.peek();
    if (first !== undefined) this.#removeFirst();
    return first;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      if (right !== undefined && before(right, left)) child++;
      const smaller = heap[child];
      if (smaller === undefined || !before(smaller, last)) break;
      heap[at] = smaller;
      at = child;
    }
    heap[at] = last;
  }
}
