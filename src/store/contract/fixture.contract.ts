/** What the parts of the store's contract share: short ways to write, to show what is there, and to follow a watch. */
import assert from 'node:assert/strict';
import type {
  KeyValue,
  Revision,
  Store,
  StoreEvent,
  StoreWatch,
  StoreWatchOptions,
  Write,
} from '../store.ts';

export interface StoreUnderTest {
  readonly store: Store;
  /** Lets this much time pass for leases. A store on a real clock does nothing here: the test awaits the event. */
  readonly passTime: (ms: number) => Promise<void>;
  readonly end: () => Promise<void>;
}

export interface StoreContractOptions {
  /** A new, empty store (or an empty part of a shared one). */
  readonly open: () => Promise<StoreUnderTest>;
  readonly maxValueBytes: number;
  /** The reason why these tests cannot run here. */
  readonly skip?: string | undefined;
  /** Whether a write has reached the watches of this process when it is acknowledged. */
  readonly deliversBeforeAcknowledging: boolean;
  /** Whether a watch that begins in the past is told of progress before anything new happened; default true. */
  readonly reportsProgressOfThePast?: boolean;
  /** How often the model test writes its random history. */
  readonly modelRuns: number;
}

/** `test` for one store: opens it, runs the body, ends it. */
export type It = (title: string, body: (store: Store, under: StoreUnderTest) => Promise<void>) => void;

export const bytes = (text: string): Buffer => Buffer.from(text);

export const put = (key: string, value: string, leaseId?: string): Write => ({
  type: 'put',
  key,
  value: bytes(value),
  leaseId,
});
export const remove = (key: string): Write => ({ type: 'delete', key });

export async function write(store: Store, ...writes: Write[]): Promise<Revision> {
  const result = await store.transact({ compare: [], writes });
  assert.equal(result.succeeded, true);
  return result.revision;
}

/** `key=value@create/mod`: short enough to compare whole histories by eye. */
export function showKv(kv: KeyValue | undefined): string {
  if (kv === undefined) return '-';
  return `${kv.key}=${kv.value.toString()}@${kv.createRevision}/${kv.modRevision}`;
}

export function showEvent(event: StoreEvent): string {
  const now = event.type === 'put' ? showKv(event.kv) : `${event.key} deleted@${event.modRevision}`;
  return `${now} was ${showKv(event.previous)}`;
}

/** A watch that remembers everything and lets a test await what it needs. */
export class Recorder {
  readonly events: StoreEvent[] = [];
  readonly deliveries: { readonly events: readonly StoreEvent[]; readonly revision: Revision }[] = [];
  readonly progress: Revision[] = [];
  readonly ends: Error[] = [];
  readonly watch: StoreWatch;
  #waiting: (() => void)[] = [];

  constructor(store: Store, start: string, end: string, options: Partial<StoreWatchOptions> = {}) {
    this.watch = store.watch(start, end, {
      ...options,
      onEvents: (events, revision) => {
        this.events.push(...events);
        this.deliveries.push({ events, revision });
        options.onEvents?.(events, revision);
        this.#wake();
      },
      onProgress: (revision) => {
        this.progress.push(revision);
        options.onProgress?.(revision);
        this.#wake();
      },
      onEnd: (reason) => {
        this.ends.push(reason);
        this.#wake();
      },
    });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async untilEvents(count: number): Promise<readonly string[]> {
    await this.until(() => this.events.length >= count);
    return this.events.map(showEvent);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
