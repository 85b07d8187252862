/** A binary heap whose members know their place, so that any of them can leave it. */
export interface HeapMember {
  /** -1 while in no heap. Kept by the heap. */
  heapIndex: number;
}

export class EntryHeap<T extends HeapMember> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #members: T[] = [];

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#members.length;
  }

  push(member: T): void {
    this.#members.push(member);
    this.#rise(member, this.#members.length - 1);
  }

  pop(): T | undefined {
    const top = this.#members[0];
    if (top !== undefined) this.remove(top);
    return top;
  }

  /** A member of no heap is left alone. */
  remove(member: T): void {
    const at = member.heapIndex;
    if (at < 0) return;
    member.heapIndex = -1;
    const last = this.#members.pop();
    if (last === undefined || last === member) return;
    const parent = this.#members[(at - 1) >> 1];
    if (at > 0 && parent !== undefined && this.#before(last, parent)) this.#rise(last, at);
    else this.#sink(last, at);
  }

  #set(member: T, at: number): void {
    this.#members[at] = member;
    member.heapIndex = at;
  }

  #rise(member: T, from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#members[parent];
      if (above === undefined || !this.#before(member, above)) break;
      this.#set(above, at);
      at = parent;
    }
    this.#set(member, at);
  }

  #sink(member: T, from: number): void {
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      const left = this.#members[child];
      if (left === undefined) break;
      const right = this.#members[child + 1];
      if (right !== undefined && this.#before(right, left)) child++;
      const smaller = this.#members[child];
      if (smaller === undefined || !this.#before(smaller, member)) break;
      this.#set(smaller, at);
      at = child;
    }
    this.#set(member, at);
  }
}
