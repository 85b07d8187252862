import type { MvccState } from '../mvcc/mvcc-state.ts';
import { keyValue } from '../mvcc/version.ts';
import type { Compare, KeyValue, Revision, Write } from '../store.ts';
import type { Unit } from './commit-queue.ts';
import type { RawWrite } from './database.ts';
import { versionKey } from './record.ts';

/** What a key will hold once everything decided is durable. */
interface Decided {
  readonly modRevision: Revision;
  /** Undefined: deleted. */
  readonly kv: KeyValue | undefined;
}

/**
 * The state as it will be: what is durable, overlaid with what is decided and still on its way to the disk. Compares
 * look here, so that of two writers in the same commit the second sees the first.
 */
export class Decisions {
  readonly #state: MvccState;
  readonly #pending = new Map<string, Decided>();
  #revision: Revision;

  constructor(state: MvccState) {
    this.#state = state;
    this.#revision = state.revision;
  }

  /** Revision of the newest decision. */
  get revision(): Revision {
    return this.#revision;
  }

  /** Undefined when all hold; otherwise what the compared keys hold. */
  compare(compares: readonly Compare[]): readonly (KeyValue | undefined)[] | undefined {
    if (compares.every(({ key, modRevision }) => this.#modRevision(key) === modRevision)) return undefined;
    return compares.map(({ key }) => {
      const pending = this.#pending.get(key);
      return pending === undefined ? this.#state.get(key) : pending.kv;
    });
  }

  /** Gives the writes the next revision. Undefined when they change nothing. */
  decide(writes: readonly Write[]): (Unit & { readonly revision: Revision }) | undefined {
    const revision = this.#revision + 1;
    const effective: Write[] = [];
    const raw: RawWrite[] = [];
    for (const write of writes) {
      const created = this.#createRevision(write.key);
      if (write.type === 'delete' && created === 0) continue;
      const place = effective.length;
      effective.push(write);
      raw.push(
        write.type === 'put'
          ? this.#put(write, revision, place, created)
          : this.#delete(write, revision, place),
      );
    }
    if (effective.length === 0) return undefined;
    this.#revision = revision;
    return { revision, writes: effective, raw };
  }

  /** Of these keys and the pending ones, those that carry the lease. */
  keysOfLease(leaseId: string, durable: ReadonlySet<string>): readonly string[] {
    const keys = [...durable].filter((key) => !this.#pending.has(key));
    for (const [key, { kv }] of this.#pending) if (kv?.leaseId === leaseId) keys.push(key);
    return keys;
  }

  /** The unit is durable and applied to the state. */
  settle(unit: Unit): void {
    for (const { key } of unit.writes) {
      if (this.#pending.get(key)?.modRevision === unit.revision) this.#pending.delete(key);
    }
  }

  /** Nothing that was pending happened. */
  abandon(): void {
    this.#pending.clear();
    this.#revision = this.#state.revision;
  }

  #put(
    write: Write & { readonly type: 'put' },
    revision: Revision,
    place: number,
    created: Revision,
  ): RawWrite {
    const { key, value, leaseId } = write;
    const createRevision = created === 0 ? revision : created;
    this.#pending.set(key, {
      modRevision: revision,
      kv: keyValue(key, value, createRevision, revision, leaseId),
    });
    return { key: versionKey(key, { modRevision: revision, place, createRevision, leaseId }), value };
  }

  #delete({ key }: Write, revision: Revision, place: number): RawWrite {
    this.#pending.set(key, { modRevision: revision, kv: undefined });
    const facts = { modRevision: revision, place, createRevision: 0, leaseId: undefined };
    return { key: versionKey(key, facts), value: NO_VALUE };
  }

  #modRevision(key: string): Revision {
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending.kv?.modRevision ?? 0;
    return this.#state.current(key)?.modRevision ?? 0;
  }

  #createRevision(key: string): Revision {
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending.kv?.createRevision ?? 0;
    return this.#state.current(key)?.createRevision ?? 0;
  }
}

const NO_VALUE = Buffer.alloc(0);
