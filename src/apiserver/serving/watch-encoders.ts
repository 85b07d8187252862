/** How changes are written to watchers. One encoder per resource version and form, so that its bytes are shared. */
import { encodeProtobufWatchEvent, type KubeObject, type Status } from '#machinery';
import type { Clock } from '#platform';
import type { ServedResource } from '../registry/served-resource.ts';
import { type IncludeObject, partialMetadata, tableOf } from '../table/table.ts';
import type { CacheEntry } from '../watch-cache/cache-entry.ts';
import { bookmarkObject, type ChangeType, type WatchEncoder } from '../watch-cache/cache-event.ts';
import type { MediaType } from './media-type.ts';

const END_OF_LINE = Buffer.from('}\n');
const BEGINNINGS: Readonly<Record<string, Buffer>> = Object.fromEntries(
  ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'].map((type) => [
    type,
    Buffer.from(`{"type":"${type}","object":`),
  ]),
);

function jsonLine(type: string, object: Buffer): Buffer {
  return Buffer.concat([BEGINNINGS[type] ?? Buffer.alloc(0), object, END_OF_LINE]);
}

const jsonOf = (object: unknown): Buffer => Buffer.from(JSON.stringify(object));

/** `{"type":"ADDED","object":{…}}` and a line break. */
function jsonEncoder(served: ServedResource): WatchEncoder {
  return {
    change: (type, entry) => jsonLine(type, entry.json(served)),
    bookmark: (revision, end) => jsonLine('BOOKMARK', jsonOf(bookmarkObject(served, revision, end))),
    error: (status) => jsonLine('ERROR', jsonOf(status)),
  };
}

/** Frames of four bytes of length and a `k8s\0` envelope of WatchEvent. */
function protobufEncoder(served: ServedResource, statusBytes: (status: Status) => Buffer): WatchEncoder {
  const frame = (type: string, object: Buffer | undefined): Buffer =>
    encodeProtobufWatchEvent(type, object ?? Buffer.alloc(0));
  return {
    change: (type, entry) => frame(type, entry.protobuf(served)),
    bookmark: (revision, end) =>
      frame('BOOKMARK', served.encodeProtobuf(bookmarkObject(served, revision, end))),
    error: (status) => frame('ERROR', statusBytes(status)),
  };
}

/** Each object as something else in JSON: a Table of one row, or its metadata. */
function derivedEncoder(served: ServedResource, derive: (object: KubeObject) => object): WatchEncoder {
  const line = (type: ChangeType, entry: CacheEntry): Buffer => jsonLine(type, jsonOf(derive(entry.object)));
  return {
    change: line,
    bookmark: (revision, end) => jsonLine('BOOKMARK', jsonOf(derive(bookmarkObject(served, revision, end)))),
    error: (status) => jsonLine('ERROR', jsonOf(status)),
  };
}

export class WatchEncoders {
  readonly #clock: Clock;
  readonly #statusBytes: (status: Status) => Buffer;
  readonly #known = new WeakMap<ServedResource, Map<string, WatchEncoder>>();

  constructor(options: { readonly clock: Clock; readonly statusBytes: (status: Status) => Buffer }) {
    this.#clock = options.clock;
    this.#statusBytes = options.statusBytes;
  }

  for(served: ServedResource, media: MediaType, includeObject: IncludeObject): WatchEncoder {
    const key = `${media.format}/${media.as ?? ''}/${media.version ?? ''}/${media.as === 'Table' ? includeObject : ''}`;
    let encoders = this.#known.get(served);
    if (encoders === undefined) this.#known.set(served, (encoders = new Map()));
    let encoder = encoders.get(key);
    if (encoder === undefined) encoders.set(key, (encoder = this.#make(served, media, includeObject)));
    return encoder;
  }

  #make(served: ServedResource, media: MediaType, includeObject: IncludeObject): WatchEncoder {
    const version = media.version ?? 'v1';
    if (media.as === 'Table') {
      return derivedEncoder(served, (object) => {
        const metadata = { resourceVersion: object.metadata.resourceVersion };
        return tableOf(served, [object], metadata, { includeObject, version }, this.#clock.now());
      });
    }
    if (media.as !== undefined) return derivedEncoder(served, (object) => partialMetadata(object, version));
    return media.format === 'protobuf' ? protobufEncoder(served, this.#statusBytes) : jsonEncoder(served);
  }
}
