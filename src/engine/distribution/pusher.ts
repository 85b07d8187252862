import type { Clock, Logger } from '#platform';
import { RuntimeError } from '#cri';
import type { RegistryAuth } from '#cri';
import type { ContentStore } from '../content/content-store.ts';
import { OCI_MANIFEST, mediaTypeOf } from '../content/media-types.ts';
import type { Digest } from '../content/media-types.ts';
import type { Images } from '../images/images.ts';
import { parseReference, referenceName } from '../images/reference.ts';
import { RegistryClient } from './registry-client.ts';
import type { RegistryConfiguration } from './registry-configuration.ts';

export interface PusherOptions {
  readonly content: ContentStore;
  readonly images: Images;
  readonly configuration: RegistryConfiguration;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface PushOptions {
  readonly auth?: RegistryAuth;
  /** Another name to push it by. */
  readonly as?: string;
  readonly signal?: AbortSignal;
}

/**
 * Sends an image that is here to its registry: layers it lacks, then config, then the manifest, which makes it
 * visible. Returns the manifest's digest.
 * @throws RuntimeError naming the image.
 */
export async function pushImage(
  { content, images, configuration, clock, logger }: PusherOptions,
  image: string,
  { auth, as = image, signal }: PushOptions = {},
): Promise<Digest> {
  const record = images.find(image);
  if (record === undefined) throw new RuntimeError('NOT_FOUND', `image "${image}" not found`);
  const reference = parseReference(as);
  const client = new RegistryClient({ reference, configuration, auth, actions: 'pull,push', clock, logger });
  const release = images.hold();
  try {
    const bytes = await content.readDocument(record.manifest);
    const manifest = await images.manifest(record);
    for (const blob of [...manifest.layers, manifest.config]) {
      if (await client.hasBlob(blob.digest, signal)) continue;
      if ((await content.sizeOf(blob.digest)) === undefined)
        throw new Error(`blob ${blob.digest} is not here`);
      await client.pushBlob(blob, () => content.read(blob.digest), signal);
    }
    await client.pushManifest(bytes, mediaTypeOf(manifest) || OCI_MANIFEST, signal);
    return record.manifest;
  } catch (e) {
    signal?.throwIfAborted();
    const reason = e instanceof Error ? e.message : String(e);
    throw new RuntimeError('UNKNOWN', `failed to push image "${referenceName(reference)}": ${reason}`, e);
  } finally {
    release();
  }
}
