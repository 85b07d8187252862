/**
 * Who may be stopped when: sidecars wait for all regular containers and for the sidecars that were started after
 * them, so the pod comes down in the reverse order it came up (KEP-753).
 */
import type { Clock } from '#platform';
import { isSidecar, type Pod } from '../pods/pod-spec.ts';

interface Gate {
  readonly opened: Promise<void>;
  readonly open: () => void;
}

export class TerminationOrder {
  readonly #clock: Clock;
  readonly #gates = new Map<string, Gate>();
  readonly #waitsFor = new Map<string, readonly Gate[]>();

  constructor(clock: Clock, pod: Pod, running: ReadonlySet<string>) {
    this.#clock = clock;
    const gate = (name: string): Gate => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const made = { opened: promise, open: resolve };
      this.#gates.set(name, made);
      if (!running.has(name)) resolve();
      return made;
    };
    const regular = pod.spec.containers.map(({ name }) => gate(name));
    let later: Gate | undefined;
    for (const container of [...(pod.spec.initContainers ?? [])].reverse()) {
      const own = gate(container.name);
      if (!isSidecar(container)) continue;
      this.#waitsFor.set(container.name, later === undefined ? regular : [...regular, later]);
      later = own;
    }
  }

  /** Waits until it is this container's turn, at most `graceMs`. Returns the milliseconds waited. */
  async turn(name: string, graceMs: number): Promise<number> {
    const gates = this.#waitsFor.get(name);
    if (gates === undefined || graceMs <= 0) return 0;
    const from = this.#clock.monotonic();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.setTimer(graceMs, resolve);
    await Promise.race([promise, Promise.all(gates.map(({ opened }) => opened))]);
    timer.cancel();
    return this.#clock.monotonic() - from;
  }

  /** The container has ended (or is given up on). */
  ended(name: string): void {
    this.#gates.get(name)?.open();
  }
}
