/**
 * One leader among several processes, by a Lease. The algorithm of client-go's `tools/leaderelection`:
 *
 * A candidate never compares its clock with the leader's. It remembers when *it* last saw the record change and may
 * take over once the lease's duration has passed since then on its own clock. The leader must renew within the renew
 * deadline, which is shorter, or stop leading. What this does not promise: fencing. A leader that is stopped for long
 * and wakes up may act for a moment before it notices; the API's optimistic writes are what protects against that.
 */
import type { coordinationV1 } from '#api';
import { isNotFound } from '#machinery';
import { type Clock, formatMicroTime, type Logger, type MonotonicMs, type Random } from '#platform';
import type { Client, ResourceClient } from './client.ts';
import { resources } from './resources.ts';

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** Of this candidate; unique among them. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default 15 s. */
  readonly leaseDurationMs?: number;
  /** Default 10 s; must be shorter than the lease. */
  readonly renewDeadlineMs?: number;
  /** Default 2 s. */
  readonly retryPeriodMs?: number;
  /** Told whenever another identity (or this one) is seen to lead. */
  readonly onNewLeader?: (identity: string) => void;
}

export interface LeaderElector {
  readonly isLeader: boolean;
  /** Holder seen last; '' when none. */
  readonly leader: string;
  /**
   * Waits to become leader, then runs `lead`, whose signal aborts when leadership is lost or `signal` aborts.
   * Resolves after `lead` has ended; the lease has been given up by then, if it still was ours.
   */
  run(lead: (signal: AbortSignal) => Promise<void>, options: { readonly signal: AbortSignal }): Promise<void>;
}

export function createLeaderElector(options: LeaderElectionOptions): LeaderElector {
  return new LeaseElector(options);
}

const DEFAULT_LEASE_MS = 15_000;
const DEFAULT_RENEW_DEADLINE_MS = 10_000;
const DEFAULT_RETRY_MS = 2_000;
/** Waiting candidates spread out by up to this multiple of the retry period. */
const RETRY_JITTER = 1.2;

class LeaseElector implements LeaderElector {
  readonly #options: LeaderElectionOptions;
  readonly #leases: ResourceClient<coordinationV1.Lease>;
  readonly #leaseMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryMs: number;
  #observed: coordinationV1.Lease | undefined;
  #observedAt: MonotonicMs = 0;
  #reported = '';

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#leases = options.client.resource(resources.leases, options.namespace);
    this.#leaseMs = options.leaseDurationMs ?? DEFAULT_LEASE_MS;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? DEFAULT_RENEW_DEADLINE_MS;
    this.#retryMs = options.retryPeriodMs ?? DEFAULT_RETRY_MS;
    if (this.#renewDeadlineMs >= this.#leaseMs)
      throw new Error('the renew deadline must be shorter than the lease');
  }

  get leader(): string {
    return this.#observed?.spec.holderIdentity ?? '';
  }

  get isLeader(): boolean {
    return this.leader === this.#options.identity;
  }

  async run(
    lead: (signal: AbortSignal) => Promise<void>,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    if (!(await this.#acquire(signal))) return;
    const lost = new AbortController();
    const leading = lead(AbortSignal.any([signal, lost.signal]));
    // When the work itself ends, there is nothing left to lead.
    const finished = new AbortController();
    const ended = leading.finally(() => finished.abort(new Error('the work ended')));
    ended.catch(() => undefined);
    await this.#renewUntilLost(AbortSignal.any([signal, finished.signal]));
    lost.abort(new Error('leadership lost'));
    try {
      await leading;
    } finally {
      await this.#release();
    }
  }

  async #acquire(signal: AbortSignal): Promise<boolean> {
    const { clock, random, logger, identity } = this.#options;
    while (!signal.aborted) {
      if (await this.#tryAcquireOrRenew(signal)) {
        logger.info({ identity, lease: this.#options.name }, 'became leader');
        return true;
      }
      await quietly(clock.sleep(this.#retryMs * (1 + random.next() * RETRY_JITTER), { signal }));
    }
    return false;
  }

  async #renewUntilLost(signal: AbortSignal): Promise<void> {
    const { clock, logger, identity, name } = this.#options;
    let renewedAt = clock.monotonic();
    for (;;) {
      await quietly(clock.sleep(this.#retryMs, { signal }));
      if (signal.aborted) return;
      const deadline = new AbortController();
      const timer = clock.setTimer(this.#renewDeadlineMs - (clock.monotonic() - renewedAt), () =>
        deadline.abort(new Error('the renew deadline passed')),
      );
      const renewed = await this.#tryAcquireOrRenew(AbortSignal.any([signal, deadline.signal]));
      timer.cancel();
      if (renewed) renewedAt = clock.monotonic();
      else if (!this.isLeader || clock.monotonic() - renewedAt >= this.#renewDeadlineMs) {
        logger.warn({ identity, lease: name }, 'leadership lost');
        return;
      }
    }
  }

  /** True when this candidate holds the lease now. */
  async #tryAcquireOrRenew(signal: AbortSignal): Promise<boolean> {
    if (this.#observed !== undefined && this.isLeader && (await this.#renew(this.#observed, signal)))
      return true;
    try {
      const held = await this.#leases.get(this.#options.name, { signal });
      if (held.metadata.resourceVersion !== this.#observed?.metadata.resourceVersion) this.#observe(held);
      const holder = held.spec.holderIdentity ?? '';
      if (holder !== '' && holder !== this.#options.identity && this.#isValid(held)) return false;
      this.#observe(await this.#leases.update({ ...held, spec: this.#spec(held.spec) }, { signal }));
      return true;
    } catch (error) {
      if (isNotFound(error)) return this.#create(signal);
      if (!signal.aborted) this.#options.logger.debug({ err: error }, 'lease not taken');
      return false;
    }
  }

  /** One request instead of two while nobody else touches the lease. */
  async #renew(held: coordinationV1.Lease, signal: AbortSignal): Promise<boolean> {
    try {
      this.#observe(await this.#leases.update({ ...held, spec: this.#spec(held.spec) }, { signal }));
      return true;
    } catch {
      return false;
    }
  }

  async #create(signal: AbortSignal): Promise<boolean> {
    const { name, namespace, logger } = this.#options;
    try {
      this.#observe(
        await this.#leases.create({ metadata: { name, namespace }, spec: this.#spec() }, { signal }),
      );
      return true;
    } catch (error) {
      logger.debug({ err: error }, 'lease not created');
      return false;
    }
  }

  async #release(): Promise<void> {
    const { clock, name, logger } = this.#options;
    if (!this.isLeader) return;
    try {
      const held = await this.#leases.get(name);
      if (held.spec.holderIdentity !== this.#options.identity) return;
      const now = formatMicroTime(clock.now());
      const spec = {
        ...held.spec,
        holderIdentity: '',
        leaseDurationSeconds: 1,
        renewTime: now,
        acquireTime: now,
      };
      this.#observe(await this.#leases.update({ ...held, spec }));
    } catch (error) {
      logger.debug({ err: error }, 'lease not given up');
    }
  }

  #spec(held?: coordinationV1.LeaseSpec): coordinationV1.LeaseSpec {
    const { identity, clock } = this.#options;
    const now = formatMicroTime(clock.now());
    const renewing = held?.holderIdentity === identity;
    const transitions = held?.leaseTransitions ?? 0;
    return {
      ...held,
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#leaseMs / 1000),
      acquireTime: renewing ? (held.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: held === undefined || renewing ? transitions : transitions + 1,
    };
  }

  #observe(lease: coordinationV1.Lease): void {
    this.#observed = lease;
    this.#observedAt = this.#options.clock.monotonic();
    if (this.leader === this.#reported) return;
    this.#reported = this.leader;
    if (this.#reported !== '') this.#options.onNewLeader?.(this.#reported);
  }

  #isValid(lease: coordinationV1.Lease): boolean {
    const durationMs = (lease.spec.leaseDurationSeconds ?? 0) * 1000;
    return this.#observedAt + durationMs > this.#options.clock.monotonic();
  }
}

/** For sleeps whose abortion the caller looks at itself. */
async function quietly(sleep: Promise<void>): Promise<void> {
  try {
    await sleep;
  } catch {
    // Aborted.
  }
}
