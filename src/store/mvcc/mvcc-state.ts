import { CompactedError, FutureRevisionError } from '../store.ts';
import type { KeyValue, RangeOptions, RangeResult, Revision, Write } from '../store.ts';
import { History } from './history.ts';
import { KeyIndex } from './key-index.ts';
import { Version, keyValue, versionAt } from './version.ts';
import type { KeyNode } from './version.ts';

/** An empty store is at revision 1, as etcd is; the first write gets 2. */
export const FIRST_REVISION: Revision = 1;

const NO_VALUE = Buffer.alloc(0);

export interface MvccStateOptions {
  /** Fetches the value of a version that does not carry it. Called for versions that were not compacted only. */
  readonly loadValue: (version: Version) => Buffer;
}

/**
 * What the store holds, by key and by revision: the part that memory and embedded share. Synchronous; knows nothing of
 * disks, watches or clocks. Who calls `apply` decides that the transaction may happen and when it is visible.
 */
export class MvccState {
  readonly index = new KeyIndex();
  readonly history = new History();
  readonly #loadValue: (version: Version) => Buffer;
  #revision: Revision = FIRST_REVISION;
  #compactRevision: Revision = 0;

  constructor(options: MvccStateOptions) {
    this.#loadValue = options.loadValue;
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** The oldest revision that can be read and watched from; 0 when nothing was ever compacted. */
  get compactRevision(): Revision {
    return this.#compactRevision;
  }

  /** The newest version of the key unless it is deleted or unknown. */
  current(key: string): Version | undefined {
    const newest = this.index.find(key)?.newest;
    return newest === undefined || newest.isDeletion ? undefined : newest;
  }

  keyValueOf(version: Version): KeyValue {
    if (version.kv !== undefined) return version.kv;
    const { node, createRevision, modRevision, leaseId } = version;
    return keyValue(node.key, this.#loadValue(version), createRevision, modRevision, leaseId);
  }

  /**
   * Makes one transaction visible as `revision`. Deleting what is not there changes nothing; when nothing changes at
   * all the revision is not used. Returns the new versions.
   */
  apply(revision: Revision, writes: readonly Write[]): readonly Version[] {
    const versions: Version[] = [];
    for (const write of writes) {
      const version =
        write.type === 'put'
          ? this.#put(revision, versions.length, write.key, write.value, write.leaseId)
          : this.#delete(revision, versions.length, write.key);
      if (version !== undefined) versions.push(version);
    }
    if (versions.length > 0) this.#revision = revision;
    return versions;
  }

  /**
   * Fills an empty state with what was found on disk: every version, oldest first. Returns what a compaction that
   * was cut short had left behind.
   */
  restore(versions: Iterable<Version>, revision: Revision, compactRevision: Revision): readonly Version[] {
    const leftBehind: Version[] = [];
    const nodes = new Set<KeyNode>();
    for (const version of versions) {
      const { node } = version;
      version.older = node.newest;
      node.newest = version;
      nodes.add(node);
      if (version.modRevision <= compactRevision) collectOlder(version, leftBehind);
      if (version.modRevision >= compactRevision) this.history.append(version);
    }
    for (const node of nodes) {
      const { newest } = node;
      if (newest?.isDeletion !== true || newest.modRevision >= compactRevision) continue;
      leftBehind.push(newest);
      nodes.delete(node);
    }
    this.index.load(nodes);
    this.#revision = revision;
    this.#compactRevision = compactRevision;
    return leftBehind;
  }

  range(start: string, end: string, options: RangeOptions = {}): RangeResult {
    const { limit = 0, keysOnly = false } = options;
    const revision = this.readableRevision(options.revision);
    const atNewest = revision === this.#revision;
    const kvs: KeyValue[] = [];
    let count = 0;
    for (const node of this.index.nodes(start, end)) {
      const version = versionAt(node, revision);
      if (version === undefined) continue;
      count++;
      if (limit > 0 && kvs.length >= limit) {
        if (!atNewest) continue;
        count = this.index.countLive(start, end);
        break;
      }
      kvs.push(keysOnly ? withoutValue(version) : this.keyValueOf(version));
    }
    return { kvs, count, revision: this.#revision };
  }

  get(key: string, options: RangeOptions = {}): KeyValue | undefined {
    const revision = this.readableRevision(options.revision);
    const node = this.index.find(key);
    const version = node === undefined ? undefined : versionAt(node, revision);
    if (version === undefined) return undefined;
    return options.keysOnly === true ? withoutValue(version) : this.keyValueOf(version);
  }

  /** @throws CompactedError, FutureRevisionError. */
  readableRevision(asked: Revision | undefined): Revision {
    if (asked === undefined || asked === 0) return this.#revision;
    if (asked > this.#revision) throw new FutureRevisionError(asked, this.#revision);
    if (asked < this.#compactRevision) throw new CompactedError(this.#compactRevision);
    return asked;
  }

  /**
   * Forgets versions that no reader at or after `revision` can see, and history before it. Returns what was forgotten.
   * @throws CompactedError when that happened already, FutureRevisionError.
   */
  compact(revision: Revision): readonly Version[] {
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    if (revision <= this.#compactRevision) throw new CompactedError(this.#compactRevision);
    const forgotten: Version[] = [];
    // Only what a version up to `revision` replaced can be cut, and all those are in the history.
    const until = this.history.indexOf(revision + 1);
    for (let at = 0; at < until; at++) {
      const version = this.history.at(at);
      if (version === undefined) continue;
      collectOlder(version, forgotten);
      if (version.isDeletion && version.modRevision < revision && version.node.newest === version) {
        // Nobody can see that the key ever was. When a newer version follows, that one takes the deletion with it
        // in its turn; a deletion at exactly `revision` stays, since a watch may still start there.
        forgotten.push(version);
        this.#forgetKey(version.node);
      }
    }
    this.history.dropFirst(this.history.indexOf(revision));
    this.#compactRevision = revision;
    return forgotten;
  }

  #put(revision: Revision, place: number, key: string, value: Buffer, leaseId: string | undefined): Version {
    const node = this.index.findOrAdd(key);
    const before = node.newest;
    const isNew = before === undefined || before.isDeletion;
    const createRevision = isNew ? revision : before.createRevision;
    const version = new Version(node, revision, place, createRevision, leaseId, value);
    this.#prepend(node, version);
    if (isNew) this.index.changeLive(node, 1);
    return version;
  }

  #delete(revision: Revision, place: number, key: string): Version | undefined {
    const node = this.index.find(key);
    if (node?.newest === undefined || node.newest.isDeletion) return undefined;
    const version = new Version(node, revision, place, 0, undefined, undefined);
    this.#prepend(node, version);
    this.index.changeLive(node, -1);
    return version;
  }

  #prepend(node: KeyNode, version: Version): void {
    version.older = node.newest;
    node.newest = version;
    this.history.append(version);
  }

  #forgetKey(node: KeyNode): void {
    this.index.remove(node);
    node.newest = undefined;
  }
}

function collectOlder(version: Version, into: Version[]): void {
  for (let older = version.older; older !== undefined; older = older.older) into.push(older);
  version.older = undefined;
}

function withoutValue(version: Version): KeyValue {
  return keyValue(version.node.key, NO_VALUE, version.createRevision, version.modRevision, version.leaseId);
}
