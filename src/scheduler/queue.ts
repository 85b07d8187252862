/**
 * Pods that wait to be scheduled, in three places:
 *
 * - *active*: to be tried now, highest priority first, then oldest.
 * - *backoff*: to be tried after a delay that doubles with each failure (1 s … 10 s).
 * - *unschedulable*: tried without success; waits for an event that may help (plugins say which), or five minutes.
 *
 * An event that arrives while a pod is being tried would be missed by it; so the queue counts moves, and a pod that
 * failed after a move goes to backoff instead of unschedulable.
 *
 * Bounded by the pods of the cluster: a pod is in exactly one place.
 */
import type { coreV1 } from '#api';
import type { Clock, MonotonicMs, Timer } from '#platform';
import type { ClusterEvent, SchedulerPlugin } from './framework.ts';

const INITIAL_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 10_000;
/** Repairs a queueing hint that wrongly said an event does not help. */
const UNSCHEDULABLE_FLUSH_MS = 5 * 60_000;

export interface QueuedPod {
  readonly pod: coreV1.Pod;
  readonly key: string;
  readonly attempts: number;
  /** Plugins that rejected it last time. */
  readonly rejectedBy: readonly string[];
  readonly enqueuedAt: MonotonicMs;
}

type Place = 'active' | 'backoff' | 'unschedulable' | 'gated';

interface Entry extends QueuedPod {
  readonly place: Place;
  readonly timer?: Timer;
}

export interface SchedulingQueueOptions {
  readonly clock: Clock;
  readonly plugins: readonly SchedulerPlugin[];
  /** Called when active was empty and is not any more. */
  readonly onActive: () => void;
}

const priorityOf = (pod: coreV1.Pod): number => pod.spec.priority ?? 0;

/** Highest priority first; among equals the one that was queued first. */
const before = (a: QueuedPod, b: QueuedPod): boolean =>
  priorityOf(a.pod) !== priorityOf(b.pod)
    ? priorityOf(a.pod) > priorityOf(b.pod)
    : a.enqueuedAt < b.enqueuedAt;

export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #plugins: ReadonlyMap<string, SchedulerPlugin>;
  readonly #gates: readonly SchedulerPlugin[];
  readonly #onActive: () => void;
  readonly #entries = new Map<string, Entry>();
  /** Binary heap of uids in *active*; entries that left it are skipped when they surface. */
  readonly #heap: Entry[] = [];
  #moves = 0;

  constructor(options: SchedulingQueueOptions) {
    this.#clock = options.clock;
    this.#plugins = new Map(options.plugins.map((plugin) => [plugin.name, plugin]));
    this.#gates = options.plugins.filter((plugin) => plugin.gate !== undefined);
    this.#onActive = options.onActive;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** To be given to `failed` with a pod taken by `next`. */
  get moves(): number {
    return this.#moves;
  }

  /** A pod without a node appeared. */
  add(pod: coreV1.Pod, key: string): void {
    this.#enter({ pod, key, attempts: 0, rejectedBy: [], enqueuedAt: this.#clock.monotonic() });
  }

  /** The pod changed: its new shape may fit where the old one did not. */
  update(pod: coreV1.Pod, key: string, shapeChanged: boolean): void {
    const entry = this.#entries.get(pod.metadata.uid);
    if (entry === undefined) {
      this.add(pod, key);
      return;
    }
    const moves = entry.place === 'gated' || (entry.place === 'unschedulable' && shapeChanged);
    if (moves) this.#enter({ ...entry, pod });
    else this.#replace(entry, { ...entry, pod });
  }

  remove(uid: string): void {
    const entry = this.#entries.get(uid);
    entry?.timer?.cancel();
    this.#entries.delete(uid);
  }

  /** Takes the pod to try next out of the queue; undefined when there is none now. */
  next(): QueuedPod | undefined {
    for (;;) {
      const top = this.#pop();
      if (top === undefined) return undefined;
      if (this.#entries.get(top.pod.metadata.uid) !== top) continue;
      this.#entries.delete(top.pod.metadata.uid);
      return top;
    }
  }

  /** No node for it now. `movesAtStart`: `moves` when the attempt began. */
  failed(tried: QueuedPod, rejectedBy: readonly string[], movesAtStart: number): void {
    const entry = { ...tried, attempts: tried.attempts + 1, rejectedBy };
    if (this.#moves !== movesAtStart || rejectedBy.length === 0) this.#backOff(entry);
    else this.#park(entry);
  }

  /** Lets go the waiting pods that this event may help. */
  onEvent(event: ClusterEvent): void {
    this.#moves++;
    for (const entry of this.#entries.values()) {
      if (entry.place === 'unschedulable' && this.#mayHelp(event, entry)) this.#backOff(entry);
    }
  }

  close(): void {
    for (const entry of this.#entries.values()) entry.timer?.cancel();
    this.#entries.clear();
  }

  #mayHelp(event: ClusterEvent, entry: Entry): boolean {
    return entry.rejectedBy.some((name) => this.#plugins.get(name)?.mayHelp?.(event, entry.pod) ?? true);
  }

  #enter(queued: QueuedPod): void {
    const gated = this.#gates.some((plugin) => plugin.gate?.(queued.pod) !== undefined);
    if (gated) this.#set({ ...queued, place: 'gated' });
    else this.#activate(queued);
  }

  #activate(queued: QueuedPod): void {
    const { pod, key, attempts, rejectedBy, enqueuedAt } = queued;
    const entry: Entry = { pod, key, attempts, rejectedBy, enqueuedAt, place: 'active' };
    this.#set(entry);
    this.#push(entry);
    this.#onActive();
  }

  #backOff(queued: QueuedPod): void {
    const delayMs =
      queued.attempts === 0 ? 0 : Math.min(INITIAL_BACKOFF_MS * 2 ** (queued.attempts - 1), MAX_BACKOFF_MS);
    const uid = queued.pod.metadata.uid;
    const timer = this.#clock.setTimer(delayMs, () => {
      const waiting = this.#entries.get(uid);
      if (waiting !== undefined) this.#activate(waiting);
    });
    this.#set({ ...queued, place: 'backoff', timer });
  }

  #park(queued: QueuedPod): void {
    const uid = queued.pod.metadata.uid;
    const timer = this.#clock.setTimer(UNSCHEDULABLE_FLUSH_MS, () => {
      const waiting = this.#entries.get(uid);
      if (waiting !== undefined) this.#activate(waiting);
    });
    this.#set({ ...queued, place: 'unschedulable', timer });
  }

  #set(entry: Entry): void {
    const previous = this.#entries.get(entry.pod.metadata.uid);
    if (previous !== undefined && previous.timer !== entry.timer) previous.timer?.cancel();
    this.#entries.set(entry.pod.metadata.uid, entry);
  }

  /** Same place, newer pod. */
  #replace(old: Entry, entry: Entry): void {
    this.#entries.set(entry.pod.metadata.uid, entry);
    if (old.place === 'active') this.#push(entry);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      if (left === undefined) break;
      const right = heap[2 * at + 2];
      const takeRight = right !== undefined && before(right, left);
      const child = takeRight ? right : left;
      if (!before(child, last)) break;
      heap[at] = child;
      at = takeRight ? 2 * at + 2 : 2 * at + 1;
    }
    heap[at] = last;
    return top;
  }
}
