import { CompactedError } from '../store.ts';
import type { KeyValue, Revision, StoreEvent, StoreWatch, StoreWatchOptions } from '../store.ts';
import type { MvccState } from './mvcc-state.ts';
import { orderedKey } from './ordered-key.ts';
import type { Version } from './version.ts';
import { WatchSegments } from './watch-segments.ts';

/** Events handed to a watch in one call while it catches up on history. Bounds the memory of one step. */
const CATCH_UP_EVENTS = 1_000;

class Watcher implements StoreWatch {
  readonly start: string;
  readonly end: string;
  readonly options: StoreWatchOptions;
  readonly wantsPrevious: boolean;
  readonly #leave: (watcher: Watcher) => void;
  /** First revision not delivered yet. */
  nextRevision: Revision;
  /** Events of the delivery that is being put together. */
  pending: StoreEvent[] = [];
  progressWanted = false;
  closed = false;

  constructor(
    start: string,
    end: string,
    options: StoreWatchOptions,
    nextRevision: Revision,
    leave: (watcher: Watcher) => void,
  ) {
    this.start = orderedKey(start);
    this.end = orderedKey(end);
    this.options = options;
    this.wantsPrevious = options.previousValues !== false;
    this.nextRevision = nextRevision;
    this.#leave = leave;
  }

  contains(ordered: string): boolean {
    return this.start <= ordered && ordered < this.end;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#leave(this);
  }

  endBecause(reason: Error): void {
    if (this.closed) return;
    this.close();
    guarded(() => this.options.onEnd?.(reason));
  }

  reportProgress(revision: Revision): void {
    if (this.closed || revision < this.nextRevision - 1) return;
    guarded(() => this.options.onProgress?.(revision));
  }

  reportWantedProgress(revision: Revision): void {
    if (!this.progressWanted) return;
    this.progressWanted = false;
    this.reportProgress(revision);
  }

  deliver(events: readonly StoreEvent[], revision: Revision): void {
    this.nextRevision = revision + 1;
    if (!this.closed && events.length > 0) guarded(() => this.options.onEvents(events, revision));
  }
}

/**
 * All watches of one store. A watch is either *live*, then every commit reaches it at once, or *behind*: it started
 * from an old revision and reads the history up to now in the next microtask, before anything written meanwhile is
 * acknowledged. Live watches are found by segments; nothing is done for watches a write does not concern.
 */
export class WatchHub {
  readonly #state: MvccState;
  readonly #live = new WatchSegments<Watcher>();
  readonly #behind = new Set<Watcher>();
  readonly #undispatched: { readonly versions: readonly Version[]; readonly revision: Revision }[] = [];
  #dispatching = false;
  /** What a watch that starts now need not be told. Inside a callback the state may already be ahead of it. */
  #dispatchedRevision: Revision;

  /** The state is filled before; from here on everything applied to it is also dispatched. */
  constructor(state: MvccState) {
    this.#state = state;
    this.#dispatchedRevision = state.revision;
  }

  add(start: string, end: string, options: StoreWatchOptions): StoreWatch {
    const now = this.#dispatchedRevision + 1;
    const nextRevision = options.fromRevision ?? now;
    const watcher = new Watcher(start, end, options, nextRevision, (gone) => {
      this.#live.delete(gone);
      this.#behind.delete(gone);
    });
    if (nextRevision >= now) {
      this.#live.add(watcher);
    } else {
      this.#behind.add(watcher);
      queueMicrotask(() => this.#catchUp(watcher));
    }
    return watcher;
  }

  /**
   * Tells all live watches of versions just applied, of one or more whole transactions in revision order. A callback
   * may write: what it causes is dispatched after the current delivery has reached everybody.
   */
  dispatch(versions: readonly Version[], revision: Revision): void {
    this.#undispatched.push({ versions, revision });
    if (this.#dispatching) return;
    this.#dispatching = true;
    let next = this.#undispatched[0];
    while (next !== undefined) {
      this.#dispatchOne(next.versions, next.revision);
      this.#undispatched.shift();
      next = this.#undispatched[0];
    }
    this.#dispatching = false;
  }

  requestProgress(): void {
    const revision = this.#dispatchedRevision;
    for (const watcher of this.#behind) watcher.progressWanted = true;
    // A callback may open or close watches.
    const live = [...this.#live.all];
    for (const watcher of live) {
      // Asked from inside a delivery: this one is told after it has received its part.
      if (watcher.pending.length > 0) watcher.progressWanted = true;
      else watcher.reportProgress(revision);
    }
  }

  endAll(reason: Error): void {
    for (const watcher of [...this.#live.all, ...this.#behind]) watcher.endBecause(reason);
  }

  #dispatchOne(versions: readonly Version[], revision: Revision): void {
    const touched: Watcher[] = [];
    for (const version of versions) {
      const watchers = this.#live.containing(version.node.key);
      if (watchers.length === 0) continue;
      const event = this.#event(version, watchers.some(wantsPrevious));
      for (const watcher of watchers) {
        if (version.modRevision < watcher.nextRevision) continue;
        if (watcher.pending.length === 0) touched.push(watcher);
        watcher.pending.push(event);
      }
    }
    this.#dispatchedRevision = revision;
    for (const watcher of touched) {
      const events = watcher.pending;
      watcher.pending = [];
      watcher.deliver(events, revision);
      watcher.reportWantedProgress(revision);
    }
  }

  #catchUp(watcher: Watcher): void {
    const { history } = this.#state;
    while (!watcher.closed) {
      if (watcher.nextRevision < this.#state.compactRevision) {
        watcher.endBecause(new CompactedError(this.#state.compactRevision));
        return;
      }
      const events: StoreEvent[] = [];
      let at = history.indexOf(watcher.nextRevision);
      let revision = watcher.nextRevision - 1;
      for (let version = history.at(at); version !== undefined; version = history.at(++at)) {
        // Only between transactions: half of one is never delivered.
        if (events.length >= CATCH_UP_EVENTS && version.modRevision !== revision) break;
        revision = version.modRevision;
        if (watcher.contains(version.node.ordered)) events.push(this.#event(version, watcher.wantsPrevious));
      }
      watcher.deliver(events, revision);
      if (history.at(at) !== undefined) continue;
      this.#becomeLive(watcher);
      return;
    }
  }

  #becomeLive(watcher: Watcher): void {
    if (watcher.closed || !this.#behind.delete(watcher)) return;
    this.#live.add(watcher);
    watcher.reportWantedProgress(this.#dispatchedRevision);
  }

  #event(version: Version, withPrevious: boolean): StoreEvent {
    const previous = withPrevious ? this.#previous(version) : undefined;
    if (version.isDeletion) {
      return { type: 'delete', key: version.node.key, modRevision: version.modRevision, previous };
    }
    return { type: 'put', kv: this.#state.keyValueOf(version), previous };
  }

  #previous(version: Version): KeyValue | undefined {
    const { older } = version;
    return older === undefined || older.isDeletion ? undefined : this.#state.keyValueOf(older);
  }
}

function wantsPrevious(watcher: Watcher): boolean {
  return watcher.wantsPrevious;
}

/** Callbacks must not throw; one that does is a bug of its owner and must crash there, not break a commit half way. */
function guarded(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
