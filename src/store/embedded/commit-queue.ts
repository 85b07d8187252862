import { StoreUnavailableError } from '../store.ts';
import type { Revision, Write } from '../store.ts';
import type { Database, RawWrite } from './database.ts';

/** Decided and not yet handed to the disk. Beyond this writes are refused: the disk does not keep up. */
const MAX_QUEUED_BYTES = 256 * 1024 * 1024;
/** What a put costs in memory beside its value, about. */
const OVERHEAD_BYTES = 256;

/** One decided transaction. */
export interface Unit {
  /** Undefined: nothing visible happens (a lease granted, a compaction noted). */
  readonly revision: Revision | undefined;
  readonly writes: readonly Write[];
  readonly raw: readonly RawWrite[];
  /** Runs when the unit is on disk, in order of decision, before anybody is answered. */
  readonly onDurable?: () => void;
}

class Group {
  readonly units: Unit[] = [];
  readonly waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  bytes = 0;
}

export interface CommitQueueOptions {
  readonly database: Database;
  /** Makes what is now durable visible: all units of one commit, in order. */
  readonly onCommitted: (units: readonly Unit[]) => void;
  /** A commit failed: neither its units nor those decided after it happened. Their callers are told afterwards. */
  readonly onFailed: (error: Error) => void;
  /** More raw writes that may go along with the next commit (removal of compacted versions); [] when there are none. */
  readonly takeBackground: () => readonly RawWrite[];
}

/**
 * Group commit. While one group is being written, everything decided meanwhile gathers in the next: one writer gets
 * the latency of one commit, a hundred share it.
 *
 * Only one commit is under way at a time, although lmdb would queue more, because a unit may have been decided on
 * the strength of one that is not durable yet: when a commit fails, all that came after must fail with it.
 */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  #writing: Group | undefined;
  #next = new Group();
  #scheduled = false;
  #idle: (() => void)[] = [];

  constructor(options: CommitQueueOptions) {
    this.#options = options;
  }

  /** Whether something decided is not durable yet. */
  get isBusy(): boolean {
    return this.#writing !== undefined || this.#next.units.length > 0;
  }

  /** To be called before a transaction is decided. @throws StoreUnavailableError when too much is waiting. */
  assertRoom(): void {
    if (this.#next.bytes > MAX_QUEUED_BYTES)
      throw new StoreUnavailableError('too many writes wait for the disk');
  }

  /** Resolves when the unit is durable and visible. @throws StoreUnavailableError. */
  add(unit: Unit): Promise<void> {
    this.#next.units.push(unit);
    for (const { value } of unit.raw) this.#next.bytes += OVERHEAD_BYTES + (value?.length ?? 0);
    return this.#join(this.#next);
  }

  /** Resolves when everything decided so far is durable and visible. @throws StoreUnavailableError. */
  async settled(): Promise<void> {
    if (this.#next.units.length > 0) return this.#join(this.#next);
    if (this.#writing !== undefined) return this.#join(this.#writing);
    return undefined;
  }

  /** Writes what `takeBackground` has even when nobody else writes. */
  wake(): void {
    this.#schedule();
  }

  /** Resolves when nothing is under way, whether it succeeded or not. */
  async drained(): Promise<void> {
    while (this.isBusy) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #join(group: Group): Promise<void> {
    this.#schedule();
    return new Promise((resolve, reject) => group.waiting.push({ resolve, reject }));
  }

  /** In a microtask, so that transactions of the same tick share a commit even when the disk is idle. */
  #schedule(): void {
    if (this.#scheduled || this.#writing !== undefined) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      void this.#write();
    });
  }

  async #write(): Promise<void> {
    if (this.#writing !== undefined) return;
    const raw: RawWrite[] = [];
    const group = this.#next;
    for (const unit of group.units) for (const each of unit.raw) raw.push(each);
    for (const each of this.#options.takeBackground()) raw.push(each);
    if (raw.length === 0 && group.units.length === 0) return;
    this.#writing = group;
    this.#next = new Group();
    try {
      if (raw.length > 0) await this.#options.database.commit(raw);
    } catch (error) {
      this.#fail(group, error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#options.onCommitted(group.units);
    this.#writing = undefined;
    for (const { resolve } of group.waiting) resolve();
    this.#wakeIdle();
    // Background work is asked for again only here, so it goes on until there is none and then costs nothing.
    this.#schedule();
  }

  #fail(group: Group, error: Error): void {
    const after = this.#next;
    this.#writing = undefined;
    this.#next = new Group();
    this.#options.onFailed(error);
    for (const { reject } of [...group.waiting, ...after.waiting]) reject(error);
    this.#wakeIdle();
  }

  #wakeIdle(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}
