/**
 * Time held still until a test moves it.
 *
 * Moving it must not outrun the code under test: between two timers everything that the first one set off has to
 * finish. Promises alone are done when the event loop comes round once; work that goes through the event loop (an
 * `await` on a thread pool, a socket on loopback, a `setImmediate`) needs more turns, and nothing in Node says how
 * many. So the clock calls the world quiet when, over QUIET_TURNS turns in a row, nobody touched the clock and no
 * probe says it is busy. Work known to be under way is reported by probes (`addBusyProbe`): `startCluster` adds one
 * that counts requests to the API server which have not been answered yet.
 */
import type { Clock, MonotonicMs, Timer, WallTimeMs } from '#platform';
import { type HeldTimer, TimerHeap } from './timer-heap.ts';

export interface VirtualClockOptions {
  /** Wall time at the beginning. Default 2026-01-01T00:00:00Z. */
  readonly startMs?: WallTimeMs;
}

/** Turns of the event loop without any sign of work that count as quiet. */
const QUIET_TURNS = 6;
/** So many busy turns spin, for work in memory is done by then; after that each leaves the processor to others. */
const SPINNING_TURNS = 200;
/**
 * Turns after which the clock moves on although a probe is busy: what it waits for may be a timer of this very clock
 * (a request held open until a deadline). Most of them last at least BUSY_TURN_MS, so this is about two seconds.
 */
const MAX_BUSY_TURNS = 2_000;
const BUSY_TURN_MS = 1;
/** Longest that `waitFor` lets time run unless told otherwise. */
const DEFAULT_WAIT_MS = 10 * 60_000;
/** Timers run for one and the same moment before `advance` calls it a loop that never lets time pass. */
const MAX_TIMERS_PER_MOMENT = 100_000;

export class VirtualClock implements Clock {
  readonly #startWallMs: number;
  readonly #timers = new TimerHeap();
  readonly #probes = new Set<() => boolean>();
  #elapsedMs = 0;
  #order = 0;
  #pending = 0;
  /** Grows with every use of the clock: the sign of life that `settle` looks at. */
  #activity = 0;
  #moving: Promise<void> = Promise.resolve();

  constructor(options: VirtualClockOptions = {}) {
    this.#startWallMs = options.startMs ?? Date.UTC(2026, 0, 1);
  }

  now(): WallTimeMs {
    this.#activity++;
    return this.#startWallMs + this.#elapsedMs;
  }

  monotonic(): MonotonicMs {
    this.#activity++;
    return this.#elapsedMs;
  }

  /** Timers set and neither run nor cancelled. */
  get pendingTimers(): number {
    return this.#pending;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    this.#activity++;
    this.#pending++;
    const timer: HeldTimer = {
      at: this.#elapsedMs + Math.max(0, Number.isNaN(delayMs) ? 0 : delayMs),
      order: this.#order++,
      callback,
      cancelled: false,
    };
    this.#timers.push(timer);
    return {
      cancel: () => {
        if (timer.cancelled) return;
        timer.cancelled = true;
        this.#activity++;
        this.#pending--;
      },
    };
  }

  sleep(delayMs: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason as Error);
      };
      const timer = this.setTimer(delayMs, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** `probe` returns true while work is under way that the clock must wait for. Returns the way to remove it. */
  addBusyProbe(probe: () => boolean): () => void {
    this.#probes.add(probe);
    return () => this.#probes.delete(probe);
  }

  /** Waits until nothing happens any more at this moment; runs timers that are already due. */
  settle(): Promise<void> {
    return this.advance(0);
  }

  /**
   * Lets `ms` pass: every timer due on the way runs at its own moment, in order, and what it sets off is finished
   * before the next one. Calls queue up; each moves time on from where the one before it left off.
   */
  advance(ms: number): Promise<void> {
    return this.#exclusively(() => this.#moveTo(this.#elapsedMs + ms));
  }

  /**
   * Lets time run from timer to timer until `condition` holds.
   * @throws when it does not within `withinMs` (default ten minutes), or when nothing is left that could change it.
   */
  waitFor(condition: () => boolean | Promise<boolean>, { withinMs = DEFAULT_WAIT_MS } = {}): Promise<void> {
    return this.#exclusively(async () => {
      const deadline = this.#elapsedMs + withinMs;
      for (;;) {
        await this.#quiet();
        if (await condition()) return;
        const next = this.#timers.peek();
        if (next === undefined) throw new Error('waited for something that no pending timer can bring about');
        if (next.at > deadline) throw new Error(`condition did not become true within ${withinMs} ms`);
        await this.#moveTo(next.at);
      }
    });
  }

  #exclusively<R>(move: () => Promise<R>): Promise<R> {
    const result = this.#moving.then(move);
    this.#moving = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  async #moveTo(target: number): Promise<void> {
    let moment = this.#elapsedMs;
    let atMoment = 0;
    for (;;) {
      await this.#quiet();
      const next = this.#timers.peek();
      if (next === undefined || next.at > target) break;
      atMoment = next.at === moment ? atMoment + 1 : 0;
      if (atMoment > MAX_TIMERS_PER_MOMENT) throw new Error('timers without delay keep setting each other');
      moment = next.at;
      this.#timers.pop();
      this.#elapsedMs = Math.max(this.#elapsedMs, next.at);
      this.#pending--;
      next.cancelled = true;
      next.callback();
    }
    this.#elapsedMs = Math.max(this.#elapsedMs, target);
  }

  async #quiet(): Promise<void> {
    let busyTurns = 0;
    for (let quietTurns = 0; quietTurns < QUIET_TURNS; ) {
      const seen = this.#activity;
      const busy = this.#isBusy();
      await (busy && busyTurns >= SPINNING_TURNS ? pause() : turn());
      if (busy) busyTurns++;
      if (busyTurns > MAX_BUSY_TURNS) return;
      quietTurns = busy || this.#activity !== seen ? 0 : quietTurns + 1;
    }
  }

  #isBusy(): boolean {
    for (const probe of this.#probes) if (probe()) return true;
    return false;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Leaves the event loop time to wait for input instead of spinning. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, BUSY_TURN_MS));
