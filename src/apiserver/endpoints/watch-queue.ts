/** A watch that a caller in this process reads: a bounded queue of shared event objects. */
import type { WatchEvent } from '#machinery';
import type { Revision } from '#store';
import type { ServedVersion } from '../watch-cache/cache-entry.ts';
import { bookmarkObject, type CacheEvent, type ChangeType } from '../watch-cache/cache-event.ts';
import type { OpenedWatch } from '../watch-cache/open-watch.ts';
import type { Watcher } from '../watch-cache/subscriptions.ts';

/**
 * Events a reader may be behind, beside what its watch began with. Beyond it the watch ends, and the reader starts
 * again from where it is.
 */
export const MAX_QUEUED_EVENTS = 20_000;

export class WatchQueue implements Watcher, AsyncIterable<WatchEvent> {
  readonly #version: ServedVersion;
  readonly #allowBookmarks: boolean;
  readonly #onClose: () => void;
  #leave: () => void = () => undefined;
  /** What the watch begins with, until somebody reads. */
  #opened: OpenedWatch | undefined;
  #events: WatchEvent[] = [];
  #read = 0;
  #ended = false;
  #wake: (() => void) | undefined;
  #lastRevision: Revision = 0;

  constructor(options: {
    readonly version: ServedVersion;
    readonly allowBookmarks: boolean;
    readonly onClose: () => void;
  }) {
    this.#version = options.version;
    this.#allowBookmarks = options.allowBookmarks;
    this.#onClose = options.onClose;
  }

  start(opened: OpenedWatch): void {
    this.#opened = opened;
    this.#lastRevision = opened.revision;
    const group = opened.group();
    group.add(this);
    this.#leave = () => group.remove(this);
  }

  change(event: CacheEvent, type: ChangeType): void {
    this.#lastRevision = event.revision;
    this.#push(event.object(this.#version, type));
    if (this.#events.length - this.#read > MAX_QUEUED_EVENTS) this.end();
  }

  bookmark(revision: Revision): void {
    if (!this.#allowBookmarks || revision <= this.#lastRevision) return;
    this.#lastRevision = revision;
    this.#push({ type: 'BOOKMARK', object: bookmarkObject(this.#version, revision, false) });
  }

  /** What is queued is still read; nothing comes after it. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#leave();
    this.#onClose();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<WatchEvent> {
    try {
      yield* this.#beginning();
      for (;;) {
        const event = this.#events[this.#read];
        if (event !== undefined) {
          this.#read++;
          yield event;
          continue;
        }
        this.#events = [];
        this.#read = 0;
        if (this.#ended) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    } finally {
      this.end();
    }
  }

  *#beginning(): Generator<WatchEvent> {
    const opened = this.#opened;
    this.#opened = undefined;
    if (opened === undefined) return;
    for (const entry of opened.state) yield { type: 'ADDED', object: entry.in(this.#version) };
    for (const { event, type } of opened.changes) {
      const shown = event.object(this.#version, type);
      if (shown !== undefined) yield shown;
    }
    const { initialEventsEnd } = opened;
    if (initialEventsEnd !== undefined)
      yield { type: 'BOOKMARK', object: bookmarkObject(this.#version, initialEventsEnd, true) };
  }

  #push(event: WatchEvent | undefined): void {
    if (event === undefined) return;
    this.#events.push(event);
    this.#wake?.();
  }
}
