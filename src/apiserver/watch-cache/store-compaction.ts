/**
 * Forgets the history of a store that several servers share (etcd): what is older than five to ten minutes. Stores that
 * belong to one process see to it themselves.
 */
import type { Clock, Logger, Timer } from '#platform';
import { CompactedError, type Revision, type Store } from '#store';

const COMPACTION_PERIOD_MS = 5 * 60_000;

export class StoreCompaction {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #timer: Timer | undefined;
  /** As of the last period. */
  #revision: Revision = 0;
  #compacted: Revision = 0;

  constructor(options: { readonly store: Store; readonly clock: Clock; readonly logger: Logger }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  start(): void {
    if (this.#store.exclusive !== true) this.#arm();
  }

  close(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(COMPACTION_PERIOD_MS, () => {
      this.#compact().catch((error: unknown) => {
        this.#logger.warn({ error: String(error) }, 'could not compact the store');
      });
      this.#arm();
    });
  }

  async #compact(): Promise<void> {
    const revision = this.#revision;
    this.#revision = this.#store.revision;
    if (revision <= this.#compacted) return;
    this.#compacted = revision;
    try {
      await this.#store.compact(revision);
    } catch (error) {
      // Another server was faster.
      if (!(error instanceof CompactedError)) throw error;
    }
  }
}
