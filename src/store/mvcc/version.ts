import type { KeyValue, Revision } from '../store.ts';

/** A key the store knows, alive or deleted, with its newest version. */
export class KeyNode {
  readonly key: string;
  /** See `orderedKey`. */
  readonly ordered: string;
  newest: Version | undefined = undefined;

  constructor(key: string, ordered: string) {
    this.key = key;
    this.ordered = ordered;
  }
}

/**
 * What a key held from one revision on. Versions of a key form a list, newest first: a read at revision 7 walks from
 * `node.newest` to the first version with `modRevision <= 7`.
 *
 *     put a (rev 2), put a (5), delete a (9):   9 (deleted) → 5 → 2
 *     compact(6) cuts everything older than the newest version at 6:   9 (deleted) → 5
 */
export class Version {
  readonly node: KeyNode;
  readonly modRevision: Revision;
  /** Place among the writes of its transaction. */
  readonly place: number;
  /** 0: this version is the key's deletion. */
  readonly createRevision: Revision;
  readonly leaseId: string | undefined;
  /** The value, when it is kept in memory. */
  kv: KeyValue | undefined;
  older: Version | undefined;

  constructor(
    node: KeyNode,
    modRevision: Revision,
    place: number,
    createRevision: Revision,
    leaseId: string | undefined,
    value: Buffer | undefined,
  ) {
    this.node = node;
    this.modRevision = modRevision;
    this.place = place;
    this.createRevision = createRevision;
    this.leaseId = leaseId;
    this.kv =
      value === undefined ? undefined : keyValue(node.key, value, createRevision, modRevision, leaseId);
    this.older = undefined;
  }

  get isDeletion(): boolean {
    return this.createRevision === 0;
  }
}

export function keyValue(
  key: string,
  value: Buffer,
  createRevision: Revision,
  modRevision: Revision,
  leaseId: string | undefined,
): KeyValue {
  return leaseId === undefined
    ? { key, value, createRevision, modRevision }
    : { key, value, createRevision, modRevision, leaseId };
}

/** The version of this key that a reader at `revision` sees; undefined when the key did not exist. */
export function versionAt(node: KeyNode, revision: Revision): Version | undefined {
  let version = node.newest;
  while (version !== undefined && version.modRevision > revision) version = version.older;
  return version === undefined || version.isDeletion ? undefined : version;
}
