import type { Clock, Timer } from '#platform';
import { LeaseNotFoundError } from '../store.ts';
import type { Version } from './version.ts';

interface Lease {
  readonly ttlMs: number;
  readonly keys: Set<string>;
  timer: Timer;
}

export interface LeaseTableOptions {
  readonly clock: Clock;
  /** The lease was not kept alive. It is still in the table; who is told removes it. */
  readonly onExpired: (leaseId: string) => void;
}

/** Leases and the keys attached to them. */
export class LeaseTable {
  readonly #clock: Clock;
  readonly #onExpired: (leaseId: string) => void;
  readonly #leases = new Map<string, Lease>();

  constructor(options: LeaseTableOptions) {
    this.#clock = options.clock;
    this.#onExpired = options.onExpired;
  }

  has(leaseId: string): boolean {
    return this.#leases.has(leaseId);
  }

  add(leaseId: string, ttlMs: number): void {
    this.#leases.set(leaseId, { ttlMs, keys: new Set(), timer: this.#arm(leaseId, ttlMs) });
  }

  /** @throws LeaseNotFoundError. */
  keepAlive(leaseId: string): void {
    const lease = this.#get(leaseId);
    lease.timer.cancel();
    lease.timer = this.#arm(leaseId, lease.ttlMs);
  }

  /** Keys whose newest visible version carries this lease. @throws LeaseNotFoundError. */
  keys(leaseId: string): ReadonlySet<string> {
    return this.#get(leaseId).keys;
  }

  remove(leaseId: string): void {
    this.#leases.get(leaseId)?.timer.cancel();
    this.#leases.delete(leaseId);
  }

  /** For a key found on disk. */
  attach(key: string, leaseId: string): void {
    this.#leases.get(leaseId)?.keys.add(key);
  }

  /** Moves the key of a version just applied to that version's lease. */
  follow(version: Version): void {
    const before = version.older?.leaseId;
    const { key } = version.node;
    if (before === version.leaseId) return;
    if (before !== undefined) this.#leases.get(before)?.keys.delete(key);
    if (version.leaseId !== undefined) this.#leases.get(version.leaseId)?.keys.add(key);
  }

  stop(): void {
    for (const lease of this.#leases.values()) lease.timer.cancel();
    this.#leases.clear();
  }

  #get(leaseId: string): Lease {
    const lease = this.#leases.get(leaseId);
    if (lease === undefined) throw new LeaseNotFoundError(leaseId);
    return lease;
  }

  #arm(leaseId: string, ttlMs: number): Timer {
    return this.#clock.setTimer(ttlMs, () => this.#onExpired(leaseId));
  }
}
