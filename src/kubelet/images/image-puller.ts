/**
 * Makes sure a container's image is on the node, by its pull policy, and tells the story in events. A failed pull is
 * tried again with growing pauses per pod and image.
 */
import type { coreV1 } from '#api';
import type { Image, ImageService } from '#cri';
import type { Clock } from '#platform';
import type { RestartBackoff } from '../containers/restart-backoff.ts';
import { type EventSink, podTarget } from '../events.ts';
import { goDuration } from '../go-text.ts';
import type { Container, Pod } from '../pods/pod-spec.ts';
import { withDefaultTag } from './image-name.ts';
import { credentialsFor } from './pull-secrets.ts';

export type ImageProblem =
  | 'ErrImagePull'
  | 'ImagePullBackOff'
  | 'ImageInspectError'
  | 'ErrImageNeverPull'
  | 'InvalidImageName'
  | 'RegistryUnavailable';

/** The image is not there; `reason` is what the container's waiting state shows. */
export class ImageError extends Error {
  readonly reason: ImageProblem;
  /** When the next attempt may come; undefined: with the next sync. */
  readonly retryAfterMs: number | undefined;

  constructor(reason: ImageProblem, message: string, retryAfterMs?: number) {
    super(message);
    this.name = 'ImageError';
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What one pod remembers about its pulls. */
export interface PullMemory {
  readonly backoff: RestartBackoff;
  /** The last failure by image. */
  readonly lastErrors: Map<string, string>;
}

export interface ImageRequest {
  readonly pod: Pod;
  /** The container that wants it; absent: an image volume. */
  readonly container?: Container;
  readonly image: string;
  readonly policy: string;
  readonly secrets: () => Promise<readonly coreV1.Secret[]>;
  readonly memory: PullMemory;
  readonly signal: AbortSignal;
}

interface PullTimes {
  readonly id: string;
  readonly pullMs: number;
  readonly waitMs: number;
}

/** Pulls at once on one node; more wait their turn. */
const MAX_PARALLEL_PULLS = 5;

/** After this long a failed pull (ErrImagePull) becomes one that waits for its next attempt (ImagePullBackOff). */
const SHOWN_AS_FAILED_MS = 3_000;

export class ImagePuller {
  readonly #images: ImageService;
  readonly #events: EventSink;
  readonly #clock: Clock;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: { readonly images: ImageService; readonly events: EventSink; readonly clock: Clock }) {
    this.#images = options.images;
    this.#events = options.events;
    this.#clock = options.clock;
  }

  /** @throws ImageError */
  async ensure(request: ImageRequest): Promise<Image> {
    const name = withDefaultTag(request.image);
    if (name === undefined) {
      const message = `Failed to apply default image tag "${request.image}": couldn't parse image name "${request.image}": invalid reference format`;
      this.#tell(request, 'Warning', 'InspectFailed', message);
      throw new ImageError('InvalidImageName', message);
    }
    if (request.policy !== 'Always') {
      const present = await this.#inspect(request, name);
      if (present !== undefined) {
        const message = `Container image "${request.image}" already present on machine and can be accessed by the pod`;
        this.#tell(request, 'Normal', 'Pulled', message);
        return present;
      }
      if (request.policy === 'Never') {
        const message = `Container image "${request.image}" is not present with pull policy of Never`;
        this.#tell(request, 'Warning', 'ErrImageNeverPull', message);
        throw new ImageError('ErrImageNeverPull', message);
      }
    }
    return this.#pull(request, name);
  }

  async #inspect(request: ImageRequest, name: string): Promise<Image | undefined> {
    try {
      return await this.#images.imageStatus(name);
    } catch (e) {
      const message = `Failed to inspect image "${name}": ${(e as Error).message}`;
      this.#tell(request, 'Warning', 'InspectFailed', message);
      throw new ImageError('ImageInspectError', message);
    }
  }

  async #pull(request: ImageRequest, name: string): Promise<Image> {
    const { image, memory } = request;
    const leftMs = memory.backoff.remainingSinceUpdateMs(image);
    if (leftMs > 0) {
      const message = `Back-off pulling image "${image}"`;
      this.#tell(request, 'Normal', 'BackOff', message);
      const last = memory.lastErrors.get(image);
      throw new ImageError('ImagePullBackOff', last === undefined ? message : `${message}: ${last}`, leftMs);
    }
    memory.lastErrors.delete(image);
    this.#tell(request, 'Normal', 'Pulling', `Pulling image "${image}"`);
    let pulled: PullTimes;
    try {
      pulled = await this.#inTurn(request, name);
    } catch (e) {
      request.signal.throwIfAborted();
      throw this.#failed(request, e as Error);
    }
    const found = await this.#inspect(request, pulled.id);
    if (found === undefined)
      throw this.#failed(request, new Error(`image "${image}" vanished after the pull`));
    this.#tell(
      request,
      'Normal',
      'Pulled',
      `Successfully pulled image "${image}" in ${goDuration(pulled.pullMs)} (${goDuration(pulled.waitMs)} including waiting). Image size: ${found.sizeBytes} bytes.`,
    );
    return found;
  }

  #failed(request: ImageRequest, error: Error): ImageError {
    const { image, memory } = request;
    this.#tell(request, 'Warning', 'Failed', `Failed to pull image "${image}": ${error.message}`);
    memory.backoff.next(image, this.#clock.now());
    const unavailable = 'RegistryUnavailable';
    const failure = error.message.startsWith(unavailable)
      ? new ImageError(
          unavailable,
          `image pull failed for ${image} because the registry is unavailable${error.message.slice(unavailable.length)}`,
        )
      : new ImageError('ErrImagePull', error.message);
    memory.lastErrors.set(image, `${failure.reason}: ${failure.message}`);
    const leftMs = memory.backoff.remainingSinceUpdateMs(image);
    return new ImageError(failure.reason, failure.message, Math.min(leftMs, SHOWN_AS_FAILED_MS));
  }

  async #inTurn(request: ImageRequest, name: string): Promise<PullTimes> {
    const asked = this.#clock.monotonic();
    if (this.#running >= MAX_PARALLEL_PULLS)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    const started = this.#clock.monotonic();
    try {
      request.signal.throwIfAborted();
      const auth = credentialsFor(name, await request.secrets());
      const id = await this.#images.pullImage(name, auth, { signal: request.signal });
      const ended = this.#clock.monotonic();
      return { id, pullMs: Math.trunc(ended - started), waitMs: Math.trunc(ended - asked) };
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #tell(request: ImageRequest, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#events.record(podTarget(request.pod, request.container?.name), type, reason, message);
  }
}
