/** The last step of every write: one transaction, and the cache entry that shows it. */
import { type GroupResource, type KubeObject, modifiedConflict, notFound, StatusError } from '#machinery';
import type { Compare, KeyValue, Revision, Store, TransactionResult, Write } from '#store';
import { StoreUnavailableError } from '#store';
import { CacheEntry, encodeForStore } from '../watch-cache/cache-entry.ts';
import { entryOf, rememberWritten } from '../watch-cache/resource-cache.ts';
import type { StoredResource } from './stored-resource.ts';

/** More to be true, or to be written, in the same transaction: addresses, leases. */
export interface Rider {
  readonly compare?: readonly Compare[];
  readonly writes?: readonly Write[];
  readonly leaseId?: string;
}

export type CommitResult =
  | { readonly committed: true; readonly entry: CacheEntry }
  /** What is there instead; `riderFailed`: the object was as expected, a rider's condition was not. */
  | { readonly committed: false; readonly current: KeyValue | undefined; readonly riderFailed: boolean };

/** How long a refused rider waits to see what it was refused for. */
const RIDER_TIMEOUT_MS = 3000;

/** Writes `object` over exactly the revision `expected` (0: nothing there). */
export async function commitPut(
  store: Store,
  resource: StoredResource,
  object: KubeObject,
  expected: Revision,
  rider: Rider = {},
): Promise<CommitResult> {
  const key = resource.keyOfObject(object);
  const storeKey = resource.cache.prefix + key;
  const encoded = encodeForStore(object);
  rememberWritten(encoded.stored, encoded.object);
  const { leaseId } = rider;
  const put: Write = {
    type: 'put',
    key: storeKey,
    value: encoded.stored,
    ...(leaseId === undefined ? {} : { leaseId }),
  };
  const result = await transact(store, resource.groupResource, {
    compare: [{ key: storeKey, modRevision: expected }, ...(rider.compare ?? [])],
    writes: [put, ...(rider.writes ?? [])],
  });
  if (!result.succeeded) return refused(resource, result, expected);
  const cached = resource.cache.get(key);
  if (cached?.revision === result.revision) return { committed: true, entry: cached };
  const created = expected === 0 ? result.revision : (cached?.createRevision ?? result.revision);
  const entry = CacheEntry.fromStore(key, result.revision, created, encoded.stored, encoded.object);
  return { committed: true, entry };
}

/** Removes exactly the revision `expected`; the entry is the last state with the revision of the deletion. */
export async function commitDelete(
  store: Store,
  resource: StoredResource,
  entry: CacheEntry,
  rider: Rider = {},
): Promise<CommitResult> {
  const storeKey = resource.cache.prefix + entry.key;
  const result = await transact(store, resource.groupResource, {
    compare: [{ key: storeKey, modRevision: entry.revision }, ...(rider.compare ?? [])],
    writes: [{ type: 'delete', key: storeKey }, ...(rider.writes ?? [])],
  });
  if (!result.succeeded) return refused(resource, result, entry.revision);
  return { committed: true, entry: entry.tombstone(result.revision) };
}

/** Another server's rider may have been faster than the watch that tells of it: without waiting we would try the same. */
async function refused(
  resource: StoredResource,
  result: Extract<TransactionResult, { succeeded: false }>,
  expected: Revision,
): Promise<CommitResult> {
  const [own] = result.current;
  const riderFailed = (own?.modRevision ?? 0) === expected;
  if (riderFailed) await resource.cache.hub.waitFor(result.revision, RIDER_TIMEOUT_MS);
  return { committed: false, current: own, riderFailed };
}

async function transact(
  store: Store,
  resource: GroupResource,
  transaction: Parameters<Store['transact']>[0],
) {
  try {
    return await store.transact(transaction);
  } catch (error) {
    if (error instanceof StoreUnavailableError) {
      throw new StatusError(
        500,
        'InternalError',
        `Internal error occurred: ${error.message}`,
        undefined,
        error,
      );
    }
    if (error instanceof RangeError) {
      throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: ${error.message}`, {
        group: resource.group,
        kind: resource.resource,
      });
    }
    throw error;
  }
}

/** Optimistic retries of a server-side change; beyond it something is wrong. */
const MAX_CHANGE_ATTEMPTS = 64;

/**
 * A change that the server itself makes, past admission, strategy and validation: binding, eviction, conditions of
 * definitions. `change` may run several times, and throws to refuse; the same object back means nothing to do.
 */
export async function changeStored(
  store: Store,
  resource: StoredResource,
  key: string,
  change: (live: KubeObject) => KubeObject,
): Promise<CacheEntry> {
  await resource.cache.fresh();
  const name = key.slice(key.indexOf('/') + 1);
  let live = resource.cache.get(key);
  for (let attempt = 0; attempt < MAX_CHANGE_ATTEMPTS; attempt++) {
    if (live === undefined) throw notFound(resource.groupResource, name);
    const next = change(live.object);
    if (next === live.object) return live;
    const result = await commitPut(store, resource, next, live.revision);
    if (result.committed) return result.entry;
    live = result.current === undefined ? undefined : entryOf(key, result.current);
  }
  throw modifiedConflict(resource.groupResource, name);
}
