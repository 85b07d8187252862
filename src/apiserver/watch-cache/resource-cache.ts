/**
 * All objects of one resource, kept true by the hub's watch of the store, and the changes of the recent past.
 * Reads of objects, lists and watches are answered from here; the store is asked only for the past beyond the ring.
 */
import type { KubeObject } from '#machinery';
import type { KeyValue, Revision, StoreEvent } from '#store';
import { prefixEnd } from '#store';
import { CacheEntry } from './cache-entry.ts';
import { CacheEvent } from './cache-event.ts';
import type { CacheHub } from './cache-hub.ts';
import { EventRing } from './event-ring.ts';
import type { FieldsOf, Selection } from './selection.ts';
import { SortedKeys } from './sorted-keys.ts';
import { Subscriptions, type WatcherGroup } from './subscriptions.ts';

export type ChangeListener = (before: KubeObject | undefined, after: KubeObject | undefined) => void;

/**
 * Objects just written, by the bytes given to the store: when the store hands the same bytes back, nothing has to be
 * parsed. Stores that copy the bytes cost a parse, nothing else.
 */
const written = new WeakMap<Buffer, KubeObject>();
export function rememberWritten(stored: Buffer, object: KubeObject): void {
  written.set(stored, object);
}

export class ResourceCache {
  /** `/registry/<group>/<resource>/` */
  readonly prefix: string;
  readonly hub: CacheHub;
  readonly subscriptions: Subscriptions;
  readonly #entries = new Map<string, CacheEntry>();
  readonly #keys = new SortedKeys();
  readonly #listeners = new Set<ChangeListener>();
  #ring = new EventRing(0);
  #loaded: Revision = -1;
  #lastChange: Revision = 0;
  #loading: Promise<void> | undefined;
  #arrivedWhileLoading: StoreEvent[] = [];

  constructor(options: { readonly hub: CacheHub; readonly prefix: string; readonly fieldsOf: FieldsOf }) {
    this.hub = options.hub;
    this.prefix = options.prefix;
    this.subscriptions = new Subscriptions(options.fieldsOf);
    this.hub.register(this);
  }

  get isLoaded(): boolean {
    return this.#loaded >= 0 && this.#loading === undefined;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What this cache shows is the state of the resource at this revision. */
  get revision(): Revision {
    return Math.max(this.#loaded, this.hub.revision);
  }

  /** Revision of the last change of this resource: before it, the state was another. */
  get lastChange(): Revision {
    return this.#lastChange;
  }

  get ring(): EventRing {
    return this.#ring;
  }

  /** Resolves when the resource is held; loads it from the store on the first call. */
  load(): Promise<void> {
    if (this.isLoaded) return Promise.resolve();
    this.#loading ??= this.#read().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** Loaded, and showing every write acknowledged before this call. Undefined: there is nothing to wait for. */
  fresh(): Promise<void> | undefined {
    if (!this.isLoaded) return this.load().then(() => this.hub.consistent());
    return this.hub.consistent();
  }

  get(key: string): CacheEntry | undefined {
    return this.#entries.get(key);
  }

  /** Entries with keys in [start, end), in order. */
  *entries(start = '', end = ''): Generator<CacheEntry> {
    for (const key of this.#keys.range(start, end)) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) yield entry;
    }
  }

  /** Entries of a namespace (undefined: all), in order. */
  inNamespace(namespace: string | undefined): Iterable<CacheEntry> {
    // '0' follows '/': the range holds every key of the namespace and no other.
    return namespace === undefined ? this.entries() : this.entries(`${namespace}/`, `${namespace}0`);
  }

  group(selection: Selection): WatcherGroup {
    return this.subscriptions.group(selection);
  }

  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called by the hub for every change below the prefix, in revision order. */
  apply(event: StoreEvent): void {
    if (this.#loading !== undefined) {
      this.#arrivedWhileLoading.push(event);
      return;
    }
    if (this.#loaded < 0) return;
    const revision = event.type === 'put' ? event.kv.modRevision : event.modRevision;
    if (revision <= this.#loaded) return;
    const key = (event.type === 'put' ? event.kv.key : event.key).slice(this.prefix.length);
    this.#change(key, revision, event.type === 'put' ? entryOf(key, event.kv) : undefined);
  }

  bookmark(revision: Revision): void {
    if (!this.isLoaded || this.subscriptions.isEmpty) return;
    for (const watcher of this.subscriptions.watchers()) watcher.bookmark(revision);
  }

  /** Reads everything again after changes may have been missed; watchers are told the difference. */
  async reload(): Promise<void> {
    if (this.#loaded < 0) return;
    await this.#loading?.catch(() => undefined);
    this.#loading = this.#read().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  close(): void {
    for (const watcher of this.subscriptions.watchers()) watcher.end();
    this.hub.unregister(this);
  }

  async #read(): Promise<void> {
    this.#arrivedWhileLoading = [];
    const { kvs, revision } = await this.hub.store.range(this.prefix, prefixEnd(this.prefix));
    if (this.#loaded < 0) this.#fill(kvs, revision);
    else this.#replace(kvs, revision);
    this.#loaded = revision;
    this.#loading = undefined;
    for (const event of this.#arrivedWhileLoading.splice(0)) this.apply(event);
  }

  #fill(kvs: readonly KeyValue[], revision: Revision): void {
    for (const kv of kvs) {
      const key = kv.key.slice(this.prefix.length);
      this.#entries.set(key, entryOf(key, kv));
      this.#keys.add(key);
      this.#lastChange = Math.max(this.#lastChange, kv.modRevision);
    }
    // A deletion leaves no trace among the keys: before the load the state may have been another.
    this.#lastChange = Math.max(this.#lastChange, revision);
    this.#ring = new EventRing(revision);
    if (this.#listeners.size === 0) return;
    for (const entry of this.#entries.values()) this.#tell(undefined, entry);
  }

  #replace(kvs: readonly KeyValue[], revision: Revision): void {
    const gone = new Set(this.#entries.keys());
    const changed: CacheEntry[] = [];
    for (const kv of kvs) {
      const key = kv.key.slice(this.prefix.length);
      gone.delete(key);
      if (this.#entries.get(key)?.revision !== kv.modRevision) changed.push(entryOf(key, kv));
    }
    changed.sort((a, b) => a.revision - b.revision);
    for (const entry of changed) this.#change(entry.key, entry.revision, entry);
    for (const key of gone) this.#change(key, revision, undefined);
  }

  #change(key: string, revision: Revision, current: CacheEntry | undefined): void {
    const previous = this.#entries.get(key);
    if (current === undefined && previous === undefined) return;
    if (current === undefined) {
      this.#entries.delete(key);
      this.#keys.remove(key);
    } else {
      this.#entries.set(key, current);
      if (previous === undefined) this.#keys.add(key);
    }
    this.#lastChange = revision;
    const event = new CacheEvent(revision, current, previous);
    this.#ring.push(event);
    if (!this.subscriptions.isEmpty) this.subscriptions.deliver(event);
    this.#tell(previous, current);
  }

  #tell(before: CacheEntry | undefined, after: CacheEntry | undefined): void {
    for (const listener of this.#listeners) listener(before?.object, after?.object);
  }
}

export function entryOf(key: string, kv: KeyValue): CacheEntry {
  return CacheEntry.fromStore(key, kv.modRevision, kv.createRevision, kv.value, written.get(kv.value));
}
