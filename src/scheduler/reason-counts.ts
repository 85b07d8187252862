/** How many nodes were rejected for which reason. */
export class ReasonCounts {
  readonly #counts = new Map<string, number>();

  /** Each of the reasons holds for so many more nodes. */
  add(reasons: readonly string[], nodes = 1): void {
    if (nodes === 0) return;
    for (const reason of reasons) this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + nodes);
  }

  /** Sorted as text, counts included, as upstream does. */
  toString(): string {
    return [...this.#counts]
      .map(([reason, count]) => `${count} ${reason}`)
      .sort()
      .join(', ');
  }
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.` */
export function explain(nodeCount: number, reasons: ReasonCounts): string {
  return `0/${nodeCount} nodes are available: ${reasons.toString()}.`;
}
