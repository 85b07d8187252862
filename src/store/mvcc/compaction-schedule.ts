import type { Clock, Timer } from '#platform';
import type { Revision } from '../store.ts';

/** How much of the past a store keeps by itself, so that history never grows without bound. */
export interface HistoryLimits {
  /** Versions kept. Default 100,000. When exceeded the oldest tenth is compacted. */
  readonly maxHistoryEvents?: number;
  /** What is older than this is compacted within as long again. Default five minutes, as upstream's API server does. */
  readonly maxHistoryAgeMs?: number;
}

const DEFAULT_MAX_HISTORY_EVENTS = 100_000;
const DEFAULT_MAX_HISTORY_AGE_MS = 5 * 60_000;
/** Part of the history compacted when there are too many events: rarely enough to be cheap, little enough at once. */
const COMPACTED_PART = 0.1;

export interface CompactionScheduleOptions extends HistoryLimits {
  readonly clock: Clock;
  readonly history: {
    readonly length: number;
    at(index: number): { readonly modRevision: Revision } | undefined;
  };
  readonly compact: (revision: Revision) => void;
}

/** Decides when history is compacted and up to where. Without writes it holds no timer. */
export class CompactionSchedule {
  readonly #options: CompactionScheduleOptions;
  readonly #maxEvents: number;
  readonly #maxAgeMs: number;
  #timer: Timer | undefined;
  /** Newest revision when the timer was armed: one period later it is old enough. */
  #agedRevision: Revision = 0;
  #newestRevision: Revision = 0;
  #stopped = false;

  constructor(options: CompactionScheduleOptions) {
    this.#options = options;
    this.#maxEvents = options.maxHistoryEvents ?? DEFAULT_MAX_HISTORY_EVENTS;
    this.#maxAgeMs = options.maxHistoryAgeMs ?? DEFAULT_MAX_HISTORY_AGE_MS;
  }

  /** To be called after every commit. */
  committed(revision: Revision): void {
    this.#newestRevision = revision;
    if (this.#timer === undefined) this.#arm();
    const { history, compact } = this.#options;
    if (history.length <= this.#maxEvents) return;
    const oldestKept = history.at(
      history.length - this.#maxEvents + Math.floor(this.#maxEvents * COMPACTED_PART),
    );
    compact(oldestKept?.modRevision ?? revision);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#agedRevision = this.#newestRevision;
    this.#timer = this.#options.clock.setTimer(this.#maxAgeMs, () => {
      this.#timer = undefined;
      this.#options.compact(this.#agedRevision);
      if (this.#newestRevision > this.#agedRevision) this.#arm();
    });
  }
}
