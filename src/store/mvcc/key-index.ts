import { orderedKey } from './ordered-key.ts';
import { KeyNode } from './version.ts';

/** Nodes per block. Small enough that inserting into one moves little memory, large enough that blocks stay few. */
const MAX_BLOCK_NODES = 512;

interface Block {
  /** In key order; never empty. */
  readonly nodes: KeyNode[];
  /** How many of them are not deleted, so that counting a range does not visit them. */
  live: number;
}

/** Every known key in byte order: found by name through a map, by range through a list of sorted blocks. */
export class KeyIndex {
  readonly #byKey = new Map<string, KeyNode>();
  #blocks: Block[] = [];

  get size(): number {
    return this.#byKey.size;
  }

  /** All nodes, in no order. */
  [Symbol.iterator](): Iterator<KeyNode> {
    return this.#byKey.values();
  }

  find(key: string): KeyNode | undefined {
    return this.#byKey.get(key);
  }

  /** The node of this key, new and without versions when it was unknown. */
  findOrAdd(key: string): KeyNode {
    const found = this.#byKey.get(key);
    if (found !== undefined) return found;
    const node = new KeyNode(key, orderedKey(key));
    this.#byKey.set(key, node);
    this.#insert(node);
    return node;
  }

  /** Fills an empty index at once: sorting everything costs less than placing each. */
  load(nodes: Iterable<KeyNode>): void {
    for (const node of nodes) this.#byKey.set(node.key, node);
    const sorted = [...this.#byKey.values()].sort((a, b) => (a.ordered < b.ordered ? -1 : 1));
    this.#blocks = [];
    for (let at = 0; at < sorted.length; at += MAX_BLOCK_NODES / 2) {
      const part = sorted.slice(at, at + MAX_BLOCK_NODES / 2);
      this.#blocks.push({ nodes: part, live: countLive(part, 0, part.length) });
    }
  }

  remove(node: KeyNode): void {
    this.#byKey.delete(node.key);
    const blockAt = this.#blockOf(node.ordered);
    const block = this.#blocks[blockAt];
    if (block === undefined) return;
    block.nodes.splice(firstAtOrAfter(block.nodes, node.ordered), 1);
    if (block.nodes.length === 0) this.#blocks.splice(blockAt, 1);
  }

  /** To be called whenever a key comes alive (+1) or is deleted (-1). */
  changeLive(node: KeyNode, by: 1 | -1): void {
    const block = this.#blocks[this.#blockOf(node.ordered)];
    if (block !== undefined) block.live += by;
  }

  /** Nodes in [start, end), deleted ones too, in byte order. The index must not change while it is iterated. */
  *nodes(start: string, end: string): Generator<KeyNode, void, void> {
    const from = orderedKey(start);
    const to = orderedKey(end);
    for (let blockAt = this.#blockOf(from); blockAt < this.#blocks.length; blockAt++) {
      const nodes = this.#blocks[blockAt]?.nodes ?? [];
      const first = nodes[0];
      let at = first !== undefined && first.ordered < from ? firstAtOrAfter(nodes, from) : 0;
      for (; at < nodes.length; at++) {
        const node = nodes[at];
        if (node === undefined || node.ordered >= to) return;
        yield node;
      }
    }
  }

  /** How many keys of [start, end) are not deleted. */
  countLive(start: string, end: string): number {
    const from = orderedKey(start);
    const to = orderedKey(end);
    let count = 0;
    for (let blockAt = this.#blockOf(from); blockAt < this.#blocks.length; blockAt++) {
      const block = this.#blocks[blockAt];
      const first = block?.nodes[0];
      const last = block?.nodes.at(-1);
      if (block === undefined || first === undefined || last === undefined || first.ordered >= to) break;
      if (first.ordered >= from && last.ordered < to) count += block.live;
      else
        count += countLive(block.nodes, firstAtOrAfter(block.nodes, from), firstAtOrAfter(block.nodes, to));
    }
    return count;
  }

  #insert(node: KeyNode): void {
    const blockAt = this.#blockOf(node.ordered);
    const block = this.#blocks[blockAt];
    if (block === undefined) {
      this.#blocks.push({ nodes: [node], live: 0 });
      return;
    }
    block.nodes.splice(firstAtOrAfter(block.nodes, node.ordered), 0, node);
    if (block.nodes.length <= MAX_BLOCK_NODES) return;
    const right = block.nodes.splice(block.nodes.length >> 1);
    // The node just added has no version yet and counts as dead in both halves.
    const live = countLive(right, 0, right.length);
    block.live -= live;
    this.#blocks.splice(blockAt + 1, 0, { nodes: right, live });
  }

  /** The last block that starts at or before `ordered`; the first when all start after it. */
  #blockOf(ordered: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const first = this.#blocks[middle]?.nodes[0];
      if (first !== undefined && first.ordered <= ordered) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : low - 1;
  }
}

function countLive(nodes: readonly KeyNode[], from: number, to: number): number {
  let live = 0;
  for (let at = from; at < to; at++) if (nodes[at]?.newest?.isDeletion === false) live++;
  return live;
}

function firstAtOrAfter(nodes: readonly KeyNode[], ordered: string): number {
  let low = 0;
  let high = nodes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const node = nodes[middle];
    if (node !== undefined && node.ordered < ordered) low = middle + 1;
    else high = middle;
  }
  return low;
}
