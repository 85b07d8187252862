/**
 * Events live for an hour: their keys hang on leases of the store. All events of a minute share one lease, so that a
 * storm of events costs a lease a minute.
 */
import type { KubeObject } from '#machinery';
import type { Clock } from '#platform';
import type { Store } from '#store';
import type { WriteCompanion } from './object-writer.ts';
import type { Rider } from './store-commit.ts';

const EVENT_TTL_MS = 60 * 60_000;
const SHARED_FOR_MS = 60_000;

export class EventLeases implements WriteCompanion {
  readonly #store: Store;
  readonly #clock: Clock;
  #lease: Promise<string> | undefined;
  #renewAtMs = 0;

  constructor(options: { readonly store: Store; readonly clock: Clock }) {
    this.#store = options.store;
    this.#clock = options.clock;
  }

  async prepare(
    next: KubeObject,
    _old: KubeObject | undefined,
    dryRun: boolean,
  ): Promise<{ readonly object: KubeObject; readonly rider: Rider }> {
    if (dryRun) return { object: next, rider: {} };
    return { object: next, rider: { leaseId: await this.#current() } };
  }

  #current(): Promise<string> {
    const nowMs = this.#clock.monotonic();
    if (this.#lease === undefined || nowMs >= this.#renewAtMs) {
      this.#renewAtMs = nowMs + SHARED_FOR_MS;
      // The last event of the minute still gets its whole hour.
      this.#lease = this.#store.grantLease(EVENT_TTL_MS + SHARED_FOR_MS);
      this.#lease.catch(() => {
        this.#lease = undefined;
      });
    }
    return this.#lease;
  }
}
