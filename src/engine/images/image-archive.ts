/**
 * Images in a tar, as `docker save`, `ctr image export`, buildah and skopeo write them: an OCI image layout
 * (https://github.com/opencontainers/image-spec, image-layout.md), Docker's older form, or both in one.
 */
import { Readable } from 'node:stream';
import { createReadStream } from 'node:fs';
import { TarReader } from '../archive/tar-reader.ts';
import { TAR_END, tarHeader, tarPadding } from '../archive/tar-writer.ts';
import { DOCUMENT_BYTES_MAX } from '../content/content-store.ts';
import type { ContentStore } from '../content/content-store.ts';
import {
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
} from '../content/media-types.ts';
import type { Descriptor, Digest, ImageIndex, ImageManifest } from '../content/media-types.ts';
import { decompressed } from '../snapshots/layer-unpacking.ts';
import type { ImageRecord } from './image-database.ts';
import type { Images } from './images.ts';

interface DockerManifestEntry {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

/** Annotations that name an image in a layout, the full name first. */
const NAME_ANNOTATIONS = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

/** What an archive had in it. */
interface Contents {
  readonly documents: Map<string, Buffer>;
  /** Files that may be layers or configs, by their names. */
  readonly blobs: Map<string, { readonly digest: Digest; readonly size: number }>;
}

/**
 * Takes in every image of an archive; `name` is for one that has none of its own.
 * @throws when the archive is broken or has no image.
 */
export async function importArchive(
  { content, images }: { readonly content: ContentStore; readonly images: Images },
  source: Readable,
  { name, signal }: { readonly name?: string; readonly signal?: AbortSignal } = {},
): Promise<readonly ImageRecord[]> {
  const release = images.hold();
  try {
    const contents = await readContents(content, source, signal);
    const found = await imagesOf(content, contents, name);
    if (found.length === 0) throw new Error('the archive has no image with a name');
    const records: ImageRecord[] = [];
    for (const { root, names } of found) {
      const image = await images.resolve(root, async ({ digest }) => {
        if ((await content.sizeOf(digest)) === undefined) throw new Error(`the archive lacks ${digest}`);
      });
      for (const imageName of names) records.push(await images.register(image, imageName, { signal }));
    }
    return records;
  } finally {
    release();
  }
}

async function readContents(
  content: ContentStore,
  source: Readable,
  signal?: AbortSignal,
): Promise<Contents> {
  const contents: Contents = { documents: new Map(), blobs: new Map() };
  const archive = new TarReader(decompressed(source));
  for (let entry = await archive.next(); entry !== undefined; entry = await archive.next()) {
    const path = entry.name.replace(/^\.\//, '');
    if (entry.type === 'link' || entry.type === 'symlink') {
      // Docker's older form links a layer that two images share.
      const target = new URL(entry.linkName, `file:///${path}`).pathname.slice(1);
      const linked = contents.blobs.get(target);
      if (linked !== undefined) contents.blobs.set(path, linked);
    }
    if (entry.type !== 'file') continue;
    if (['manifest.json', 'index.json', 'oci-layout', 'repositories'].includes(path)) {
      if (entry.sizeBytes > DOCUMENT_BYTES_MAX) throw new Error(`${path} is too large`);
      contents.documents.set(path, await gathered(archive.content()));
      continue;
    }
    const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
    const expected = hex === undefined ? {} : { digest: `sha256:${hex}` as const };
    const { digest, sizeBytes } = await content.write(archive.content(), expected, { signal });
    contents.blobs.set(path, { digest, size: sizeBytes });
  }
  return contents;
}

async function gathered(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function imagesOf(
  content: ContentStore,
  { documents, blobs }: Contents,
  fallback: string | undefined,
): Promise<readonly { readonly root: Descriptor; readonly names: readonly string[] }[]> {
  const index = documents.get('index.json');
  const docker = documents.get('manifest.json');
  const dockerEntries = docker === undefined ? [] : (JSON.parse(docker.toString()) as DockerManifestEntry[]);
  if (index !== undefined) {
    const { manifests } = JSON.parse(index.toString()) as ImageIndex;
    return manifests
      .map((root) => ({ root, names: namesOf(root, dockerEntries, manifests.length, fallback) }))
      .filter(({ names }) => names.length > 0);
  }
  const found: { readonly root: Descriptor; readonly names: readonly string[] }[] = [];
  for (const { Config, RepoTags, Layers } of dockerEntries) {
    const blob = (path: string): { readonly digest: Digest; readonly size: number } => {
      const known = blobs.get(path);
      if (known === undefined) throw new Error(`the archive lacks ${path}`);
      return known;
    };
    const layers: Descriptor[] = [];
    for (const path of Layers)
      layers.push({ ...blob(path), mediaType: await layerType(content, blob(path).digest) });
    const manifest: ImageManifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { ...blob(Config), mediaType: OCI_CONFIG },
      layers,
    };
    const names = RepoTags ?? (fallback === undefined ? [] : [fallback]);
    if (names.length > 0) found.push({ root: await content.writeJson(manifest, OCI_MANIFEST), names });
  }
  return found;
}

function namesOf(
  root: Descriptor,
  docker: readonly DockerManifestEntry[],
  images: number,
  fallback: string | undefined,
): readonly string[] {
  for (const annotation of NAME_ANNOTATIONS) {
    const name = root.annotations?.[annotation];
    // `ref.name` may be a tag alone, which says nothing without a repository.
    if (name !== undefined && (name.includes('/') || name.includes(':'))) return [name];
  }
  const [only] = docker;
  if (images === 1 && docker.length === 1 && only?.RepoTags != null && only.RepoTags.length > 0)
    return only.RepoTags;
  return fallback === undefined || images !== 1 ? [] : [fallback];
}

async function layerType(content: ContentStore, digest: Digest): Promise<string> {
  const magic = (await gathered(content.read(digest, { start: 0, end: 3 }))).toString('hex');
  if (magic.startsWith('1f8b')) return OCI_LAYER_GZIP;
  return magic === '28b52ffd' ? OCI_LAYER_ZSTD : OCI_LAYER;
}

/** An OCI layout of images that are here, with Docker's manifest beside it, so that either tool can load it. */
export function exportArchive(
  { content, images }: { readonly content: ContentStore; readonly images: Images },
  names: readonly string[],
): Readable {
  return Readable.from(archiveBytes(content, images, names), { objectMode: false });
}

async function* archiveBytes(
  content: ContentStore,
  images: Images,
  names: readonly string[],
): AsyncGenerator<Uint8Array> {
  const release = images.hold();
  try {
    const manifests: Descriptor[] = [];
    const docker: DockerManifestEntry[] = [];
    const written = new Set<Digest>();
    for (const name of names) {
      const record = images.find(name);
      if (record === undefined) throw new Error(`image "${name}" not found`);
      const { config, layers } = await images.manifest(record);
      const size = (await content.sizeOf(record.manifest)) ?? 0;
      manifests.push({
        mediaType: OCI_MANIFEST,
        digest: record.manifest,
        size,
        annotations: { [NAME_ANNOTATIONS[0] ?? '']: record.repoTags[0] ?? name },
      });
      docker.push({
        Config: blobPath(config.digest),
        RepoTags: record.repoTags,
        Layers: layers.map((layer) => blobPath(layer.digest)),
      });
      for (const digest of [record.manifest, config.digest, ...layers.map((layer) => layer.digest)]) {
        if (written.has(digest)) continue;
        written.add(digest);
        yield* fileBytes(content, digest);
      }
    }
    yield* documentBytes('oci-layout', { imageLayoutVersion: '1.0.0' });
    yield* documentBytes('index.json', { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
    yield* documentBytes('manifest.json', docker);
    yield TAR_END;
  } finally {
    release();
  }
}

const blobPath = (digest: Digest): string => `blobs/sha256/${digest.slice('sha256:'.length)}`;

async function* fileBytes(content: ContentStore, digest: Digest): AsyncGenerator<Uint8Array> {
  const sizeBytes = await content.sizeOf(digest);
  if (sizeBytes === undefined) throw new Error(`blob ${digest} is not here`);
  yield tarHeader({ name: blobPath(digest), type: 'file', mode: 0o644, sizeBytes });
  yield* createReadStream(content.path(digest)) as AsyncIterable<Uint8Array>;
  yield tarPadding(sizeBytes);
}

function* documentBytes(name: string, document: object): Generator<Uint8Array> {
  const bytes = Buffer.from(JSON.stringify(document));
  yield tarHeader({ name, type: 'file', mode: 0o644, sizeBytes: bytes.length });
  yield bytes;
  yield tarPadding(bytes.length);
}
