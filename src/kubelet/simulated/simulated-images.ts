/** Images that exist by being asked for. */
import { createHash } from 'node:crypto';
import { type CallOptions, type Image, type ImageService, RuntimeError } from '#cri';
import type { Clock } from '#platform';
import type { SimulatedBehaviour } from './script.ts';

const DEFAULT_SIZE_BYTES = 4_000_000;

export class SimulatedImages implements ImageService {
  readonly #clock: Clock;
  readonly #behaviour: SimulatedBehaviour;
  /** By name and by id. */
  readonly #images = new Map<string, Image>();

  constructor(clock: Clock, behaviour: SimulatedBehaviour) {
    this.#clock = clock;
    this.#behaviour = behaviour;
  }

  async listImages(): Promise<readonly Image[]> {
    return [...new Set(this.#images.values())];
  }

  async imageStatus(image: string): Promise<Image | undefined> {
    return this.#images.get(image);
  }

  async pullImage(image: string, _auth?: unknown, options?: CallOptions): Promise<string> {
    const script = this.#behaviour.image?.(image) ?? {};
    if (script.pullMs !== undefined) await this.#clock.sleep(script.pullMs, options);
    if (script.error !== undefined) throw new RuntimeError('UNKNOWN', script.error);
    const present = this.#images.get(image);
    if (present !== undefined) return present.id;
    const digest = `sha256:${createHash('sha256').update(image).digest('hex')}`;
    const pulled: Image = {
      id: digest,
      repoTags: image.includes('@') ? [] : [image],
      repoDigests: [`${image.replace(/[:@][^/]*$/, '')}@${digest}`],
      sizeBytes: script.sizeBytes ?? DEFAULT_SIZE_BYTES,
      ...(script.uid === undefined ? {} : { uid: script.uid }),
      username: script.username ?? '',
      pinned: false,
    };
    this.#images.set(image, pulled);
    this.#images.set(digest, pulled);
    return digest;
  }

  async removeImage(image: string): Promise<void> {
    const found = this.#images.get(image);
    if (found === undefined) return;
    for (const [key, value] of this.#images) if (value === found) this.#images.delete(key);
  }

  async imageFsInfo(): Promise<{ mountpoint: string; usedBytes: number; inodesUsed: number }> {
    const images = await this.listImages();
    return {
      mountpoint: '/',
      usedBytes: images.reduce((sum, image) => sum + image.sizeBytes, 0),
      inodesUsed: images.length,
    };
  }
}
