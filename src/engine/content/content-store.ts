/**
 * Blobs by digest. A blob is written to `ingest/`, hashed while it streams, and renamed into `blobs/` only when its
 * digest is right: what is in `blobs/` is whole and true, after a crash too. Nothing is ever changed in place.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import type { Random } from '#platform';
import type { Descriptor, Digest } from './media-types.ts';

export interface ContentStoreOptions {
  readonly directory: string;
  readonly random: Random;
}

/** What a writer promises beforehand; a mismatch fails the write. */
export interface Expected {
  readonly digest?: Digest;
  readonly sizeBytes?: number;
}

export class ContentError extends Error {
  override readonly name = 'ContentError';
}

/** Bytes of a manifest or config that is read whole; the registry API's own bound is 4 MiB. */
export const DOCUMENT_BYTES_MAX = 8 * 1024 * 1024;

export class ContentStore {
  readonly #blobs: string;
  readonly #ingest: string;
  readonly #random: Random;
  /** Digests that something under way needs, with the number of holders: `sweep` leaves them. */
  readonly #leases = new Map<Digest, number>();

  constructor({ directory, random }: ContentStoreOptions) {
    this.#blobs = join(directory, 'blobs', 'sha256');
    this.#ingest = join(directory, 'ingest');
    this.#random = random;
  }

  /** Makes the folders and drops half-written blobs of an earlier life. */
  async open(): Promise<void> {
    await rm(this.#ingest, { recursive: true, force: true });
    await mkdir(this.#ingest, { recursive: true });
    await mkdir(this.#blobs, { recursive: true });
  }

  path(digest: Digest): string {
    return join(this.#blobs, digest.slice('sha256:'.length));
  }

  /** Size in bytes; undefined when the blob is not here. */
  async sizeOf(digest: Digest): Promise<number | undefined> {
    try {
      return (await stat(this.path(digest))).size;
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw e;
    }
  }

  read(digest: Digest, range?: { readonly start: number; readonly end: number }): Readable {
    return createReadStream(this.path(digest), range === undefined ? {} : range);
  }

  /** @throws ContentError when it is too large to be a document; Node's ENOENT when it is not here. */
  async readDocument(digest: Digest): Promise<Buffer> {
    const size = await this.sizeOf(digest);
    if (size !== undefined && size > DOCUMENT_BYTES_MAX) {
      throw new ContentError(`${digest} has ${size} bytes, too many for a manifest or config`);
    }
    return readFile(this.path(digest));
  }

  /** The document must be what the caller says it is; digests protect it from change, not from nonsense. */
  async readJson<T extends object>(digest: Digest): Promise<T> {
    return JSON.parse((await this.readDocument(digest)).toString()) as T;
  }

  /**
   * Streams a blob in. Resolves when it is readable under its digest.
   * @throws ContentError when size or digest are not the expected ones; nothing is kept then.
   */
  async write(
    source: Readable | AsyncIterable<Uint8Array>,
    expected: Expected = {},
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
    const temporary = this.temporaryPath();
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const tap = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        sizeBytes += chunk.length;
        if (expected.sizeBytes !== undefined && sizeBytes > expected.sizeBytes) {
          done(new ContentError(`blob is larger than the ${expected.sizeBytes} bytes it was said to have`));
          return;
        }
        hash.update(chunk);
        done(null, chunk);
      },
    });
    try {
      await pipeline(source, tap, createWriteStream(temporary, { flags: 'wx', flush: true }), { signal });
      const digest: Digest = `sha256:${hash.digest('hex')}`;
      await this.commit(temporary, { digest, sizeBytes }, expected);
      return { digest, sizeBytes };
    } catch (e) {
      await rm(temporary, { force: true });
      throw e;
    }
  }

  /** A fresh path for a partial blob, on the filesystem of the blobs; gone at the next start. */
  temporaryPath(): string {
    return join(this.#ingest, Buffer.from(this.#random.bytes(12)).toString('hex'));
  }

  /** Takes over a finished file that the caller has hashed. */
  async commit(
    temporary: string,
    actual: { readonly digest: Digest; readonly sizeBytes: number },
    expected: Expected = {},
  ): Promise<void> {
    if (expected.sizeBytes !== undefined && actual.sizeBytes !== expected.sizeBytes) {
      throw new ContentError(`unexpected size ${actual.sizeBytes}, want ${expected.sizeBytes}`);
    }
    if (expected.digest !== undefined && actual.digest !== expected.digest) {
      throw new ContentError(`unexpected digest ${actual.digest}, want ${expected.digest}`);
    }
    await rename(temporary, this.path(actual.digest));
  }

  async writeBytes(bytes: Uint8Array, mediaType: string, expected?: Expected): Promise<Descriptor> {
    const { digest, sizeBytes } = await this.write(chunks(bytes), expected);
    return { mediaType, digest, size: sizeBytes };
  }

  writeJson(document: object, mediaType: string): Promise<Descriptor> {
    return this.writeBytes(Buffer.from(JSON.stringify(document)), mediaType);
  }

  /** Keeps `digest` from `sweep` until the returned function is called. */
  lease(digest: Digest): () => void {
    this.#leases.set(digest, (this.#leases.get(digest) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const holders = (this.#leases.get(digest) ?? 1) - 1;
      if (holders === 0) this.#leases.delete(digest);
      else this.#leases.set(digest, holders);
    };
  }

  /** Removes every blob that is neither in `keep` nor leased; returns the bytes freed. */
  async sweep(keep: ReadonlySet<Digest>): Promise<number> {
    let freed = 0;
    for (const name of await readdir(this.#blobs)) {
      const digest: Digest = `sha256:${name}`;
      if (keep.has(digest) || this.#leases.has(digest)) continue;
      freed += (await this.sizeOf(digest)) ?? 0;
      await rm(this.path(digest), { force: true });
    }
    return freed;
  }

  /** Bytes and number of all blobs. */
  async usage(): Promise<{ readonly bytes: number; readonly count: number }> {
    const names = await readdir(this.#blobs);
    let bytes = 0;
    for (const name of names) bytes += (await this.sizeOf(`sha256:${name}`)) ?? 0;
    return { bytes, count: names.length };
  }
}

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
