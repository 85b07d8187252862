/** Making layers: entries go in, a gzipped blob in the content store and its two digests come out. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { ContentStore } from '../content/content-store.ts';
import { OCI_LAYER_GZIP } from '../content/media-types.ts';
import type { Descriptor, Digest } from '../content/media-types.ts';
import { TAR_END, tarHeader, tarPadding } from './tar-writer.ts';
import type { TarEntryInit } from './tar-writer.ts';

/** Half the time of the usual 6 for a tenth more bytes, and most layers are never sent anywhere. */
const GZIP_LEVEL = 3;

export interface LayerFile extends TarEntryInit {
  /** Of a file: exactly `sizeBytes` bytes. */
  readonly content?: () => AsyncIterable<Uint8Array> | Uint8Array;
}

export interface WrittenLayer {
  readonly descriptor: Descriptor;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  /** Bytes of file contents. */
  readonly sizeBytes: number;
  readonly entries: number;
}

/** A file entry with its content in memory. */
export function fileEntry(name: string, data: Uint8Array | string, mode = 0o644): LayerFile {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  return { name, type: 'file', mode, sizeBytes: bytes.length, content: () => bytes };
}

export const folderEntry = (name: string, mode = 0o755): LayerFile => ({ name, type: 'directory', mode });

export const linkEntry = (name: string, linkName: string): LayerFile => ({
  name,
  type: 'symlink',
  mode: 0o777,
  linkName,
});

/** The same entries give the same digests. @throws when a file has another size than announced. */
export async function writeLayer(
  content: ContentStore,
  files: AsyncIterable<LayerFile> | Iterable<LayerFile>,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<WrittenLayer> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let entries = 0;
  const tar = async function* (): AsyncGenerator<Uint8Array> {
    for await (const file of files) {
      entries++;
      yield tarHeader(file);
      if (file.type !== 'file' || file.content === undefined) continue;
      const expected = file.sizeBytes ?? 0;
      let written = 0;
      for await (const chunk of parts(file.content())) {
        written += chunk.length;
        yield chunk;
      }
      if (written !== expected) throw new Error(`${file.name} changed while it was read`);
      sizeBytes += written;
      yield tarPadding(written);
    }
    yield TAR_END;
  };
  const hashed = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of tar()) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const gzip = createGzip({ level: GZIP_LEVEL });
  const [, blob] = await Promise.all([
    pipeline(Readable.from(hashed(), { objectMode: false }), gzip, { signal }),
    content.write(gzip, {}, { signal }),
  ]);
  return {
    descriptor: { mediaType: OCI_LAYER_GZIP, digest: blob.digest, size: blob.sizeBytes },
    diffId: `sha256:${hash.digest('hex')}`,
    sizeBytes,
    entries,
  };
}

async function* parts(content: AsyncIterable<Uint8Array> | Uint8Array): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield content;
  else yield* content;
}
