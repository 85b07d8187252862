/**
 * Pods that wait to be scheduled, in four places:
 *
 * - *active*: to be tried now, highest priority first, then whoever has waited longest.
 * - *backoff*: worth another try, but not before a delay that doubles with each failure (1 s … 10 s), unless the
 *   scheduler has nothing better to do (KEP-5142). After an error the delay always holds: it spares the API server.
 * - *unschedulable*: tried without success; waits for an event that may help (plugins say which), or five minutes.
 * - *gated*: not to be tried until the pod itself changes.
 *
 * A pod that is being tried is in none of them. Cycles are synchronous, so no event can slip by meanwhile.
 * Bounded by the pods of the cluster.
 */
import type { coreV1 } from '#api';
import type { Clock, MonotonicMs, Timer } from '#platform';
import { EntryHeap } from './entry-heap.ts';
import type { ClusterEvent, SchedulerPlugin } from './framework.ts';
import { priorityOf } from './pod-state.ts';

const INITIAL_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 10_000;
/** Pods whose delays end within the same window are ordered by priority. */
const BACKOFF_WINDOW_MS = 1_000;
/** Repairs a queueing hint that wrongly said an event does not help. */
const UNSCHEDULABLE_FLUSH_MS = 5 * 60_000;

export interface QueuedPod {
  readonly pod: coreV1.Pod;
  readonly key: string;
  /** Times that no node was found for it. */
  readonly rejections: number;
  /** Errors in a row. */
  readonly errors: number;
  /** Plugins that rejected it last time. */
  readonly rejectedBy: readonly string[];
}

type Place = 'active' | 'backoff' | 'unschedulable' | 'gated';

interface Entry extends QueuedPod {
  pod: coreV1.Pod;
  place: Place;
  /** Grows: among equals the lower one was queued first. */
  readonly order: number;
  readonly backoffUntil: MonotonicMs;
  timer: Timer | undefined;
  heapIndex: number;
}

export interface SchedulingQueueOptions {
  readonly clock: Clock;
  readonly plugins: readonly SchedulerPlugin[];
  /** Called whenever `next` may have something. */
  readonly onReady: () => void;
}

const before = (a: Entry, b: Entry): boolean => {
  const difference = priorityOf(b.pod) - priorityOf(a.pod);
  return difference === 0 ? a.order < b.order : difference < 0;
};

const windowOf = (entry: Entry): number => Math.floor(entry.backoffUntil / BACKOFF_WINDOW_MS);
const beforeInBackoff = (a: Entry, b: Entry): boolean => {
  const difference = windowOf(a) - windowOf(b);
  return difference === 0 ? before(a, b) : difference < 0;
};

function backoffMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(INITIAL_BACKOFF_MS * 2 ** (failures - 1), MAX_BACKOFF_MS);
}

export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #plugins: ReadonlyMap<string, SchedulerPlugin>;
  readonly #gates: readonly SchedulerPlugin[];
  readonly #onReady: () => void;
  readonly #entries = new Map<string, Entry>();
  readonly #active = new EntryHeap<Entry>(before);
  /** Those in backoff that an idle scheduler may take early. */
  readonly #backoff = new EntryHeap<Entry>(beforeInBackoff);
  readonly #unschedulable = new Set<Entry>();
  #order = 0;

  constructor(options: SchedulingQueueOptions) {
    this.#clock = options.clock;
    this.#plugins = new Map(options.plugins.map((plugin) => [plugin.name, plugin]));
    this.#gates = options.plugins.filter((plugin) => plugin.gate !== undefined);
    this.#onReady = options.onReady;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Where a pod waits; undefined when it does not. */
  placeOf(uid: string): Place | undefined {
    return this.#entries.get(uid)?.place;
  }

  /** A pod without a node appeared. */
  add(pod: coreV1.Pod, key: string): void {
    this.#enter({ pod, key, rejections: 0, errors: 0, rejectedBy: [] }, 0);
  }

  /** The pod changed. `shapeChanged`: so that a node may do now that did not before. */
  update(pod: coreV1.Pod, key: string, shapeChanged: boolean): void {
    const entry = this.#entries.get(pod.metadata.uid);
    if (entry === undefined) {
      this.add(pod, key);
      return;
    }
    if (entry.place === 'gated') this.#enter({ ...entry, pod }, 0);
    else if (entry.place === 'unschedulable' && shapeChanged) {
      entry.pod = pod;
      this.#requeue(entry);
    } else {
      const reorder = priorityOf(entry.pod) !== priorityOf(pod);
      if (reorder) this.#heapOf(entry)?.remove(entry);
      entry.pod = pod;
      if (reorder) this.#heapOf(entry)?.push(entry);
    }
  }

  remove(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry !== undefined) this.#take(entry);
  }

  /** Takes the pod to try next out of the queue; undefined when there is none now. */
  next(): QueuedPod | undefined {
    const entry = this.#active.pop() ?? this.#backoff.pop();
    if (entry !== undefined) this.#take(entry);
    return entry;
  }

  /** No node does, by the judgement of these plugins. */
  rejected(tried: QueuedPod, rejectedBy: readonly string[]): void {
    const rejections = tried.rejections + 1;
    const until = this.#clock.monotonic() + backoffMs(rejections);
    const entry = this.#newEntry({ ...tried, rejections, errors: 0, rejectedBy }, until);
    this.#put(entry, 'unschedulable');
    entry.timer = this.#clock.setTimer(UNSCHEDULABLE_FLUSH_MS, () => this.#requeue(entry));
  }

  /** It was not tried after all: waits for `retry` or an event. */
  putBack(taken: QueuedPod): void {
    this.#put(this.#newEntry(taken, this.#clock.monotonic()), 'unschedulable');
  }

  /** Something went wrong that has nothing to do with the nodes. */
  failed(tried: QueuedPod): void {
    const errors = tried.errors + 1;
    const until = this.#clock.monotonic() + backoffMs(errors);
    this.#backOff(this.#newEntry({ ...tried, errors, rejectedBy: [] }, until));
  }

  /** Lets go the waiting pods that this event may help; `concerned` narrows them down. */
  onEvent(event: ClusterEvent, concerned?: (pod: coreV1.Pod) => boolean): void {
    for (const entry of this.#unschedulable) {
      if (concerned?.(entry.pod) !== false && this.#mayHelp(event, entry)) this.#requeue(entry);
    }
  }

  /** Does not wait for an event any more. `after` an error a pause comes first. */
  retry(uid: string, after?: 'error'): void {
    const entry = this.#entries.get(uid);
    if (entry?.place !== 'unschedulable') return;
    if (after === 'error') this.failed(entry);
    else this.#requeue(entry);
  }

  close(): void {
    for (const entry of this.#entries.values()) this.#take(entry);
  }

  #mayHelp(event: ClusterEvent, { rejectedBy, pod }: Entry): boolean {
    // Rejected by nobody in particular: there were no nodes at all.
    if (rejectedBy.length === 0) return true;
    return rejectedBy.some((name) => this.#plugins.get(name)?.mayHelp?.(event, pod) ?? true);
  }

  #newEntry(queued: QueuedPod, backoffUntil: MonotonicMs): Entry {
    const { pod, key, rejections, errors, rejectedBy } = queued;
    return {
      pod,
      key,
      rejections,
      errors,
      rejectedBy,
      backoffUntil,
      place: 'active',
      order: this.#order++,
      timer: undefined,
      heapIndex: -1,
    };
  }

  #enter(queued: QueuedPod, backoffUntil: MonotonicMs): void {
    const entry = this.#newEntry(queued, backoffUntil);
    if (this.#gates.some((plugin) => plugin.gate?.(queued.pod) !== undefined)) this.#put(entry, 'gated');
    else this.#activate(entry);
  }

  #requeue(entry: Entry): void {
    if (entry.backoffUntil > this.#clock.monotonic()) this.#backOff(entry);
    else this.#activate(entry);
  }

  #activate(entry: Entry): void {
    this.#put(entry, 'active');
    this.#onReady();
  }

  #backOff(entry: Entry): void {
    this.#put(entry, 'backoff');
    const delayMs = entry.backoffUntil - this.#clock.monotonic();
    entry.timer = this.#clock.setTimer(delayMs, () => this.#activate(entry));
    if (entry.errors === 0) this.#onReady();
  }

  #put(entry: Entry, place: Place): void {
    const previous = this.#entries.get(entry.pod.metadata.uid);
    if (previous !== undefined) this.#take(previous);
    entry.place = place;
    this.#entries.set(entry.pod.metadata.uid, entry);
    if (place === 'unschedulable') this.#unschedulable.add(entry);
    this.#heapOf(entry)?.push(entry);
  }

  /** Out of wherever it is. */
  #take(entry: Entry): void {
    entry.timer?.cancel();
    entry.timer = undefined;
    this.#heapOf(entry)?.remove(entry);
    this.#unschedulable.delete(entry);
    this.#entries.delete(entry.pod.metadata.uid);
  }

  #heapOf(entry: Entry): EntryHeap<Entry> | undefined {
    if (entry.place === 'active') return this.#active;
    return entry.place === 'backoff' && entry.errors === 0 ? this.#backoff : undefined;
  }
}
