/**
 * Where a watch starts. What it has to be shown first is gathered here; from then on it hears of changes from its
 * group, in the same turn, so that nothing falls between.
 */
import { expired } from '#machinery';
import { CompactedError, prefixEnd, type Revision, type StoreEvent } from '#store';
import type { CacheEntry } from './cache-entry.ts';
import { CacheEvent, type ChangeType } from './cache-event.ts';
import { MAX_RING_EVENTS } from './event-ring.ts';
import { parseResourceVersion, waitForRevision } from './list-page.ts';
import { entryOf, type ResourceCache } from './resource-cache.ts';
import type { Selection } from './selection.ts';
import { changeFor, type WatcherGroup } from './subscriptions.ts';

/** For the store to tell what the ring no longer has. */
const HISTORY_TIMEOUT_MS = 10_000;

export interface WatchStart {
  readonly resourceVersion?: string | undefined;
  readonly sendInitialEvents?: boolean | undefined;
}

export interface Shown {
  readonly event: CacheEvent;
  readonly type: ChangeType;
}

export interface OpenedWatch {
  /** To be shown as ADDED before anything else, in order. Shared by watches that start from the same state. */
  readonly state: readonly CacheEntry[];
  /** To be shown then, in order: what has happened between the version asked for and now. */
  readonly changes: readonly Shown[];
  /** Set when a bookmark must end the initial events. */
  readonly initialEventsEnd: Revision | undefined;
  /** Everything up to here is covered by `state` and `changes`. */
  readonly revision: Revision;
  /** Where to join. To be asked for, and joined, in the turn of `onOpen`. */
  group(): WatcherGroup;
}

/**
 * Calls `onOpen` synchronously at the moment from which the watcher must have joined.
 * @throws StatusError 410 when the start is no longer held, 504 when it lies in the future.
 */
export async function openWatch(
  cache: ResourceCache,
  selection: Selection,
  start: WatchStart,
  onOpen: (opened: OpenedWatch) => void,
): Promise<void> {
  const text = start.resourceVersion ?? '';
  const asked = text === '' ? undefined : parseResourceVersion(text);
  if (asked === undefined) await cache.fresh();
  else await cache.load();
  const wantsState = start.sendInitialEvents === true || (start.sendInitialEvents === undefined && !asked);
  if (wantsState) {
    if (asked !== undefined && asked > 0) await waitForRevision(cache, asked);
    onOpen(opened(cache, selection, { state: currentState(cache, selection) }, start.sendInitialEvents));
    return;
  }
  // `sendInitialEvents=false` without a version means: from now on.
  const from = asked === undefined || asked === 0 ? cache.revision : asked;
  const { floor } = cache.ring;
  const past = from < floor ? await fromStore(cache, from, floor) : [];
  // While the store was read the ring may have moved on past what was asked for.
  if (Math.max(from, floor) < cache.ring.floor)
    throw expired(`too old resource version: ${from} (${cache.ring.floor})`);
  const recent = cache.ring.after(from < floor ? floor : from);
  const changes: Shown[] = [];
  for (const event of [...past, ...recent]) {
    const type = changeFor(selection, event);
    if (type !== undefined) changes.push({ event, type });
  }
  onOpen(opened(cache, selection, { changes }));
}

function opened(
  cache: ResourceCache,
  selection: Selection,
  initial: Partial<Pick<OpenedWatch, 'state' | 'changes'>>,
  needsEnd = false,
): OpenedWatch {
  const { revision } = cache;
  return {
    state: [],
    changes: [],
    ...initial,
    initialEventsEnd: needsEnd ? revision : undefined,
    revision,
    group: () => cache.group(selection),
  };
}

/** The last state a watch started from, as long as one of its watches is still being shown it. */
interface Snapshot {
  readonly identity: string;
  readonly lastChange: Revision;
  readonly entries: WeakRef<readonly CacheEntry[]>;
}
const snapshots = new WeakMap<ResourceCache, Snapshot>();

/** After a restart a thousand watches may start at once: they share one list of the state, which holds references. */
function currentState(cache: ResourceCache, selection: Selection): readonly CacheEntry[] {
  const { identity } = selection;
  const { lastChange } = cache;
  const last = snapshots.get(cache);
  const shared =
    last?.identity === identity && last.lastChange === lastChange ? last.entries.deref() : undefined;
  if (shared !== undefined) return shared;
  const entries: CacheEntry[] = [];
  for (const entry of cache.inNamespace(selection.namespace))
    if (selection.matches(entry)) entries.push(entry);
  snapshots.set(cache, { identity, lastChange, entries: new WeakRef(entries) });
  return entries;
}

/**
 * Changes in (from, to], which the ring no longer has, out of the store's history.
 * @throws StatusError 410 when the store has forgotten them, when they are more than a ring holds or come too slowly:
 * then a list is the better start.
 */
async function fromStore(cache: ResourceCache, from: Revision, to: Revision): Promise<readonly CacheEvent[]> {
  const { store, clock } = cache.hub;
  const tooOld = (oldest: Revision): Error => expired(`too old resource version: ${from} (${oldest})`);
  const events: CacheEvent[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = clock.setTimer(HISTORY_TIMEOUT_MS, () => reject(tooOld(to)));
  const watch = store.watch(cache.prefix, prefixEnd(cache.prefix), {
    fromRevision: from + 1,
    onEvents: (batch, revision) => {
      for (const event of batch) {
        const change = changeOf(cache, event);
        if (change.revision > to) break;
        if (events.length === MAX_RING_EVENTS) return reject(tooOld(to));
        events.push(change);
      }
      if (revision >= to) resolve();
    },
    onProgress: (revision) => {
      if (revision >= to) resolve();
    },
    onEnd: (error) =>
      reject(error instanceof CompactedError ? tooOld(Math.max(error.compactRevision, from + 1)) : error),
  });
  try {
    await Promise.all([promise, store.requestProgress()]);
  } finally {
    timer.cancel();
    watch.close();
  }
  return events;
}

function changeOf(cache: ResourceCache, event: StoreEvent): CacheEvent {
  const key = (event.type === 'put' ? event.kv.key : event.key).slice(cache.prefix.length);
  const previous = event.previous === undefined ? undefined : entryOf(key, event.previous);
  if (event.type === 'delete') return new CacheEvent(event.modRevision, undefined, previous);
  return new CacheEvent(event.kv.modRevision, entryOf(key, event.kv), previous);
}
