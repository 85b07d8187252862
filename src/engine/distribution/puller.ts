import type { Clock, Logger } from '#platform';
import { RuntimeError } from '#cri';
import type { RegistryAuth } from '#cri';
import type { ContentStore } from '../content/content-store.ts';
import type { Descriptor, Digest } from '../content/media-types.ts';
import type { ImageRecord } from '../images/image-database.ts';
import type { Images, ResolvedImage } from '../images/images.ts';
import { parseReference, referenceName } from '../images/reference.ts';
import type { Reference } from '../images/reference.ts';
import { RegistryClient, isNotFound } from './registry-client.ts';
import type { RegistryConfiguration } from './registry-configuration.ts';

export interface PullerOptions {
  readonly content: ContentStore;
  readonly images: Images;
  readonly configuration: RegistryConfiguration;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Makes an image of `k8ts.local`, which no registry has; undefined when there is none of that name. */
  readonly makeLocal: (name: string) => Promise<ImageRecord | undefined>;
}

/** Names that are this machine's own unless the configuration sends them somewhere. */
export const LOCAL_REGISTRY = 'k8ts.local';

/** Blobs of one image fetched side by side. */
const LAYERS_IN_PARALLEL = 3;

interface Flight {
  readonly result: Promise<ImageRecord>;
  readonly controller: AbortController;
  waiting: number;
}

/** Brings images from registries. Pulls of the same image by the same user at the same time are one pull. */
export class Puller {
  readonly #options: PullerOptions;
  readonly #flights = new Map<string, Flight>();

  constructor(options: PullerOptions) {
    this.#options = options;
  }

  /** @throws RuntimeError, in containerd's words: `failed to pull and unpack image "…": …`. */
  async pull(
    image: string,
    auth: RegistryAuth | undefined,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<ImageRecord> {
    signal?.throwIfAborted();
    const reference = readReference(image);
    const key = JSON.stringify([referenceName(reference), auth ?? null]);
    const flight = this.#flights.get(key) ?? this.#takeOff(key, reference, auth);
    flight.waiting++;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([flight.result, left]);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      // Nobody waits for it any more.
      if (--flight.waiting === 0) flight.controller.abort(new Error('pull cancelled'));
    }
  }

  #takeOff(key: string, reference: Reference, auth: RegistryAuth | undefined): Flight {
    const controller = new AbortController();
    const release = this.#options.images.hold();
    const result = this.#pull(reference, auth, controller.signal).finally(() => {
      release();
      this.#flights.delete(key);
    });
    // Those who wait hear of it; without any it is nobody's failure.
    result.catch(() => undefined);
    const flight: Flight = { result, controller, waiting: 0 };
    this.#flights.set(key, flight);
    return flight;
  }

  async #pull(
    reference: Reference,
    auth: RegistryAuth | undefined,
    signal: AbortSignal,
  ): Promise<ImageRecord> {
    const name = referenceName(reference);
    const { configuration, images, clock, logger, makeLocal } = this.#options;
    const explain = (e: unknown, step: string): RuntimeError => {
      const reason = isNotFound(e) ? `${name}: not found` : e instanceof Error ? e.message : String(e);
      return new RuntimeError(
        isNotFound(e) ? 'NOT_FOUND' : 'UNKNOWN',
        `failed to pull and unpack image "${name}": ${step}${reason}`,
        e,
      );
    };
    const resolving = `failed to resolve reference "${name}": `;
    if (reference.registry === LOCAL_REGISTRY && configuration[LOCAL_REGISTRY] === undefined) {
      const local = images.find(name) ?? (await makeLocal(name));
      if (local !== undefined) return local;
      throw new RuntimeError(
        'NOT_FOUND',
        `failed to pull and unpack image "${name}": ${resolving}${name}: not found`,
      );
    }
    const client = new RegistryClient({ reference, configuration, auth, actions: 'pull', clock, logger });
    const root = await client.resolve(signal).catch((e: unknown) => {
      throw explain(e, resolving);
    });
    try {
      const image = await images.resolve(root, (document) => this.#fetchDocument(client, document, signal));
      await this.#fetchLayers(client, image, signal);
      return await images.register(image, name, { signal });
    } catch (e) {
      throw explain(e, '');
    }
  }

  async #fetchDocument(client: RegistryClient, descriptor: Descriptor, signal: AbortSignal): Promise<void> {
    const { content } = this.#options;
    const { digest, mediaType } = descriptor;
    if ((await content.sizeOf(digest)) !== undefined) return;
    // Configs are blobs, manifests and indexes are not.
    if (/manifest|index/.test(mediaType) && !/config/.test(mediaType)) {
      await content.writeBytes(await client.manifest(digest, signal), mediaType, { digest });
    } else {
      await this.#fetchBlob(client, descriptor, signal);
    }
  }

  async #fetchBlob(client: RegistryClient, descriptor: Descriptor, signal: AbortSignal): Promise<void> {
    const { digest, size } = descriptor;
    const expected: { readonly digest: Digest; readonly sizeBytes: number } = { digest, sizeBytes: size };
    await this.#options.content.write(client.blob(descriptor, signal), expected, { signal });
  }

  /** Fetches side by side and unpacks in order, each layer as soon as those below it are done. */
  async #fetchLayers(client: RegistryClient, image: ResolvedImage, signal: AbortSignal): Promise<void> {
    const { content, images } = this.#options;
    const { layers } = image.manifest;
    const stop = new AbortController();
    const running = AbortSignal.any([signal, stop.signal]);
    const fetched = layers.map(() => Promise.withResolvers<void>());
    for (const { promise } of fetched) promise.catch(() => undefined);
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < layers.length; index = next++) {
        const layer = layers[index];
        if (layer === undefined) return;
        try {
          if ((await content.sizeOf(layer.digest)) === undefined)
            await this.#fetchBlob(client, layer, running);
          fetched[index]?.resolve();
        } catch (e) {
          for (const { reject } of fetched) reject(e);
          return;
        }
      }
    };
    const workers = Array.from({ length: LAYERS_IN_PARALLEL }, worker);
    try {
      for (const [index, { promise }] of fetched.entries()) {
        await promise;
        await images.unpackLayer(image, index, signal);
      }
    } finally {
      stop.abort();
      await Promise.all(workers);
    }
  }
}

function readReference(image: string): Reference {
  try {
    return parseReference(image);
  } catch (e) {
    throw new RuntimeError('INVALID_ARGUMENT', e instanceof Error ? e.message : String(e), e);
  }
}
