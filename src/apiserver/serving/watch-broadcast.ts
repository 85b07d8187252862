/**
 * Writes changes to the connections that watch the same selection in the same form.
 *
 * A thousand watchers of one thing get the same bytes: they are joined once per flush, whatever number of changes has
 * come together, and handed to every stream. While the network still takes the last flush, changes wait and go out
 * together with the next: an idle watcher sees a change at once, a busy one fewer and larger writes.
 */
import type { Writable } from 'node:stream';
import type { Revision } from '#store';
import type { CacheEvent, ChangeType, WatchEncoder } from '../watch-cache/cache-event.ts';
import type { OpenedWatch } from '../watch-cache/open-watch.ts';
import type { Watcher, WatcherGroup } from '../watch-cache/subscriptions.ts';

/** Bytes that wait for the next flush of a broadcast; beyond it they go out without waiting. */
const MAX_PENDING_BYTES = 256 * 1024;
/** Of the state a watch begins with, so much is encoded at a time: a thousand watchers must not each hold all of it. */
const FIRST_BYTES_AT_A_TIME = 64 * 1024;
/** Bytes a connection may be behind. A slower one is ended; its client starts again from what it has seen. */
export const MAX_BACKLOG_BYTES = 32 * 1024 * 1024;

/** One connection's end of a watch. */
export class WatchStream {
  readonly allowBookmarks: boolean;
  readonly #output: Writable;
  readonly #onEnd: () => void;
  #writing = false;
  #backlog: Buffer[] = [];
  #backlogBytes = 0;
  #onBacklogTaken: (() => void) | undefined;
  /** What must be shown before the backlog, as far as it is not sent. */
  #first: Iterator<Buffer> | undefined;
  #ended = false;
  lastRevision: Revision = 0;

  constructor(options: {
    readonly output: Writable;
    readonly allowBookmarks: boolean;
    readonly onEnd: () => void;
  }) {
    this.#output = options.output;
    this.allowBookmarks = options.allowBookmarks;
    this.#onEnd = options.onEnd;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** To be called before anything is written; `first` is read as the connection takes it. */
  begin(first: Iterator<Buffer>): void {
    this.#first = first;
    this.#writeNext();
  }

  /** `onTaken` is called when the connection has taken these bytes, or never will. */
  write(bytes: Buffer, onTaken?: () => void): void {
    if (this.#ended) return;
    if (this.#writing || this.#first !== undefined) {
      this.#backlog.push(bytes);
      this.#onBacklogTaken = onTaken ?? this.#onBacklogTaken;
      this.#backlogBytes += bytes.length;
      if (this.#backlogBytes > MAX_BACKLOG_BYTES) this.end();
      return;
    }
    this.#send(bytes, onTaken);
  }

  /** Says goodbye with what is still waiting, unless that comes behind a beginning not shown yet. Idempotent. */
  end(last?: Buffer): void {
    if (this.#ended) return;
    if (last !== undefined) this.write(last);
    this.#ended = true;
    const isCut = this.#first !== undefined || this.#backlogBytes > MAX_BACKLOG_BYTES;
    const rest = isCut ? [] : this.#backlog;
    this.#first = undefined;
    this.#backlog = [];
    if (!this.#output.destroyed) this.#output.end(rest.length === 0 ? undefined : Buffer.concat(rest));
    this.#onEnd();
    this.#onBacklogTaken?.();
  }

  #send(bytes: Buffer, onTaken?: () => void): void {
    this.#writing = true;
    this.#output.write(bytes, () => {
      this.#writing = false;
      onTaken?.();
      this.#writeNext();
    });
  }

  #writeNext(): void {
    if (this.#ended) return;
    if (this.#first !== undefined) {
      const bytes = nextBytes(this.#first);
      if (bytes !== undefined) return this.#send(bytes);
      this.#first = undefined;
    }
    if (this.#backlog.length === 0) return;
    const bytes = this.#backlog.length === 1 ? this.#backlog[0] : Buffer.concat(this.#backlog);
    const onTaken = this.#onBacklogTaken;
    this.#backlog = [];
    this.#backlogBytes = 0;
    this.#onBacklogTaken = undefined;
    if (bytes !== undefined) this.write(bytes, onTaken);
  }
}

function nextBytes(source: Iterator<Buffer>): Buffer | undefined {
  const parts: Buffer[] = [];
  let length = 0;
  while (length < FIRST_BYTES_AT_A_TIME) {
    const { value, done } = source.next();
    if (done === true) break;
    parts.push(value);
    length += value.length;
  }
  return parts.length > 1 ? Buffer.concat(parts, length) : parts[0];
}

class Broadcast implements Watcher {
  readonly #encoder: WatchEncoder;
  readonly #streams = new Set<WatchStream>();
  readonly #onEmpty: () => void;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #revision: Revision = 0;
  #isScheduled = false;
  #isBusy = false;

  constructor(encoder: WatchEncoder, onEmpty: () => void) {
    this.#encoder = encoder;
    this.#onEmpty = onEmpty;
  }

  add(stream: WatchStream): void {
    // What is waiting is older than what the new stream has been shown already.
    this.#flush();
    this.#streams.add(stream);
  }

  remove(stream: WatchStream): void {
    if (this.#streams.delete(stream) && this.#streams.size === 0) this.#onEmpty();
  }

  change(event: CacheEvent, type: ChangeType): void {
    const bytes = event.bytes(this.#encoder, type);
    this.#revision = event.revision;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes > MAX_PENDING_BYTES) this.#flush();
    else if (!this.#isBusy && !this.#isScheduled) {
      this.#isScheduled = true;
      queueMicrotask(() => this.#flush());
    }
  }

  bookmark(revision: Revision): void {
    this.#flush();
    let bytes: Buffer | undefined;
    for (const stream of this.#streams) {
      if (!stream.allowBookmarks || stream.lastRevision >= revision) continue;
      bytes ??= this.#encoder.bookmark(revision, false);
      stream.lastRevision = revision;
      stream.write(bytes);
    }
  }

  end(): void {
    this.#flush();
    for (const stream of this.#streams) stream.end();
  }

  #flush(): void {
    this.#isScheduled = false;
    if (this.#pending.length === 0) return;
    const bytes =
      this.#pending.length === 1 ? this.#pending[0] : Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    if (bytes === undefined) return;
    this.#isBusy = true;
    for (const stream of this.#streams) {
      stream.lastRevision = this.#revision;
      stream.write(bytes, this.#onTaken);
    }
    if (this.#streams.size === 0) this.#isBusy = false;
  }

  /** The first stream to have taken its bytes shows that the loop has turned: time for the next flush. */
  readonly #onTaken = (): void => {
    this.#isBusy = false;
    if (this.#pending.length > 0 && !this.#isScheduled) this.#flush();
  };
}

function* firstBytes(opened: OpenedWatch, encoder: WatchEncoder): Generator<Buffer, void, void> {
  for (const entry of opened.state) yield encoder.change('ADDED', entry);
  for (const { event, type } of opened.changes) yield event.bytes(encoder, type);
  if (opened.initialEventsEnd !== undefined) yield encoder.bookmark(opened.initialEventsEnd, true);
}

export class WatchBroadcasts {
  readonly #known = new WeakMap<WatcherGroup, Map<WatchEncoder, Broadcast>>();

  /** Shows the stream what it must see first and puts it among those that hear of changes. Returns the way out. */
  join(stream: WatchStream, opened: OpenedWatch, encoder: WatchEncoder): () => void {
    stream.lastRevision = opened.revision;
    stream.begin(firstBytes(opened, encoder));
    const group = opened.group();
    const broadcast = this.#broadcast(group, encoder);
    broadcast.add(stream);
    return () => broadcast.remove(stream);
  }

  #broadcast(group: WatcherGroup, encoder: WatchEncoder): Broadcast {
    let byEncoder = this.#known.get(group);
    if (byEncoder === undefined) this.#known.set(group, (byEncoder = new Map()));
    const known = byEncoder.get(encoder);
    if (known !== undefined) return known;
    const broadcast = new Broadcast(encoder, () => {
      byEncoder.delete(encoder);
      group.remove(broadcast);
    });
    byEncoder.set(encoder, broadcast);
    group.add(broadcast);
    return broadcast;
  }
}
