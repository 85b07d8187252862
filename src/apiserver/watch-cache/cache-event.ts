/** One change of one object, and its encodings for watchers: each is made once, however many watch. */
import type { KubeObject, Status, WatchEvent } from '#machinery';
import type { Revision } from '#store';
import type { CacheEntry, ServedVersion } from './cache-entry.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** Turns changes into what goes over the wire. Compared by identity: watchers that share one share its bytes. */
export interface WatchEncoder {
  change(type: ChangeType, entry: CacheEntry): Buffer;
  /** `initialEventsEnd`: the bookmark that ends the initial events of a WatchList. */
  bookmark(revision: Revision, initialEventsEnd: boolean): Buffer;
  error(status: Status): Buffer;
}

interface Encoded {
  readonly by: WatchEncoder | ServedVersion;
  readonly type: ChangeType;
  readonly bytes?: Buffer;
  readonly event?: WatchEvent;
}

export class CacheEvent {
  readonly revision: Revision;
  /** What the object is now; undefined when it was deleted. */
  readonly current: CacheEntry | undefined;
  readonly previous: CacheEntry | undefined;
  #tombstone: CacheEntry | undefined;
  #encoded: Encoded[] = [];

  constructor(revision: Revision, current: CacheEntry | undefined, previous: CacheEntry | undefined) {
    this.revision = revision;
    this.current = current;
    this.previous = previous;
  }

  get key(): string {
    return this.current?.key ?? this.previous?.key ?? '';
  }

  /** What a watcher is shown: the object now, or for DELETED the last state it had seen at this revision. */
  shown(type: ChangeType): CacheEntry | undefined {
    if (type !== 'DELETED') return this.current;
    if (this.#tombstone === undefined && this.previous !== undefined) {
      this.#tombstone = this.previous.tombstone(this.revision);
    }
    return this.#tombstone;
  }

  bytes(encoder: WatchEncoder, type: ChangeType): Buffer {
    for (const known of this.#encoded) {
      if (known.by === encoder && known.type === type && known.bytes !== undefined) return known.bytes;
    }
    const entry = this.shown(type);
    const bytes = entry === undefined ? Buffer.alloc(0) : encoder.change(type, entry);
    this.#encoded.push({ by: encoder, type, bytes });
    return bytes;
  }

  /** The same event object for every in-process watcher of one version. */
  object(version: ServedVersion, type: ChangeType): WatchEvent | undefined {
    for (const known of this.#encoded) {
      if (known.by === version && known.type === type) return known.event;
    }
    const shown = this.shown(type);
    if (shown === undefined) return undefined;
    const event: WatchEvent = { type, object: shown.in(version) };
    this.#encoded.push({ by: version, type, event });
    return event;
  }
}

/** `k8s.io/initial-events-end`, the annotation on the bookmark that ends the initial events. */
export const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

export function bookmarkObject(
  version: ServedVersion,
  revision: Revision,
  initialEventsEnd: boolean,
): KubeObject {
  return {
    kind: version.kind,
    apiVersion: version.apiVersion,
    metadata: {
      resourceVersion: String(revision),
      ...(initialEventsEnd ? { annotations: { [INITIAL_EVENTS_END]: 'true' } } : {}),
    },
  };
}
