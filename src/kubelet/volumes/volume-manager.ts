/**
 * The volumes of the node's pods. `mount` may be called again and again: what is there stays, what its sources say
 * differently now is written anew. So a changed ConfigMap, a changed label or an ageing token needs nothing but
 * another sync of the pod.
 */
import type { coreV1 } from '#api';
import type { Client } from '#client';
import type { Mount } from '#cri';
import type { Clock, Files, Logger, Processes, Timer } from '#platform';
import type { DownwardFacts } from '../environment/downward.ts';
import { expandStrictly } from '../environment/expansion.ts';
import type { ReferencedObjects } from '../objects/referenced-objects.ts';
import type { PodFolders } from '../pod-folders.ts';
import { describePod, type Pod, podUid } from '../pods/pod-spec.ts';
import { podLimits } from '../resources/pod-requests.ts';
import { valueOf } from '../resources/quantities.ts';
import { AtomicWriter, type Payload, samePayload } from './atomic-writer.ts';
import { claimedVolume } from './claims.ts';
import { applyFsGroup } from './fs-group.ts';
import { prepareHostPath } from './host-path.ts';
import { MountTable } from './mount-table.ts';
import { volumePayload } from './payloads.ts';
import type { MountInput, PodVolumes } from './pod-volumes.ts';
import { resolveSubPath } from './sub-path.ts';
import { TokenSource } from './token-source.ts';

export interface PodVolumesOptions {
  readonly client: Client;
  readonly files: Files;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folders: PodFolders;
  readonly objects: ReferencedObjects;
  readonly facts: (pod: Pod) => DownwardFacts;
  /** A volume of the pod needs another `mount` by now: a token grows old. */
  readonly onStale: (podUid: string) => void;
}

interface MountedVolume {
  /** Empty for an image: the runtime mounts that. */
  readonly path: string;
  readonly readOnly: boolean;
  readonly payload?: Payload;
}

interface PodEntry {
  readonly volumes: Map<string, MountedVolume>;
  refresh: Timer | undefined;
  refreshAtMs: number | undefined;
}

export function createPodVolumes(options: PodVolumesOptions): PodVolumes {
  return new VolumeManager(options);
}

class VolumeManager implements PodVolumes {
  readonly #options: PodVolumesOptions;
  readonly #writer: AtomicWriter;
  readonly #mounts: MountTable;
  readonly #tokens: TokenSource;
  readonly #pods = new Map<string, PodEntry>();

  constructor(options: PodVolumesOptions) {
    this.#options = options;
    this.#writer = new AtomicWriter(options);
    this.#mounts = new MountTable(options);
    this.#tokens = new TokenSource(options);
  }

  async mount(pod: Pod, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const uid = podUid(pod);
    let entry = this.#pods.get(uid);
    if (entry === undefined) {
      entry = { volumes: new Map(), refresh: undefined, refreshAtMs: undefined };
      this.#pods.set(uid, entry);
      await this.#options.files.mkdir(this.#options.folders.pod(uid), { recursive: true });
    }
    entry.refreshAtMs = undefined;
    const failures: Error[] = [];
    for (const volume of pod.spec.volumes ?? []) {
      signal.throwIfAborted();
      try {
        entry.volumes.set(volume.name, await this.#mountOne(pod, volume, entry));
      } catch (e) {
        const message = `MountVolume.SetUp failed for volume "${volume.name}" : ${(e as Error).message}`;
        // What was mounted once stays; its source may come back.
        if (!entry.volumes.has(volume.name)) failures.push(new Error(message, { cause: e }));
        else
          this.#options.logger.warn(
            { pod: describePod(pod), volume: volume.name, err: e },
            'volume not refreshed',
          );
      }
    }
    this.#planRefresh(uid, entry);
    if (failures.length > 0)
      throw new AggregateError(failures, failures.map(({ message }) => message).join(', '));
  }

  async mountsOf({ pod, container, env, imageVolumes }: MountInput): Promise<readonly Mount[]> {
    const volumes = this.#pods.get(podUid(pod))?.volumes;
    const mounts: Mount[] = [];
    for (const mount of container.volumeMounts ?? []) {
      const volume = volumes?.get(mount.name);
      if (volume === undefined) {
        throw new Error(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
      }
      const { subPathExpr = '' } = mount;
      const subPath =
        subPathExpr === '' ? (mount.subPath ?? '') : expandStrictly(subPathExpr, (name) => env.get(name));
      const image = imageVolumes.get(mount.name);
      const common = {
        containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
        readonly: mount.readOnly === true || volume.readOnly,
        propagation: propagationOf(mount),
      };
      if (image !== undefined) {
        mounts.push({ ...common, hostPath: '', image, ...(subPath === '' ? {} : { imageSubPath: subPath }) });
      } else {
        const hostPath =
          subPath === '' ? volume.path : await resolveSubPath(this.#options.files, volume.path, subPath);
        mounts.push({ ...common, hostPath });
      }
    }
    return mounts;
  }

  groupsOf(): readonly number[] {
    return [];
  }

  async unmount(uid: string): Promise<void> {
    const { folders, files } = this.#options;
    this.#pods.get(uid)?.refresh?.cancel();
    this.#pods.delete(uid);
    this.#tokens.forget(uid);
    await this.#mounts.unmountAll(folders.pod(uid));
    await files.remove(folders.volumes(uid));
    await files.remove(folders.memoryVolumes(uid));
  }

  async #mountOne(pod: Pod, volume: coreV1.Volume, entry: PodEntry): Promise<MountedVolume> {
    const { client, files } = this.#options;
    if (volume.image !== undefined) return { path: '', readOnly: true };
    if (volume.hostPath !== undefined) {
      await prepareHostPath(files, volume.hostPath);
      return { path: volume.hostPath.path, readOnly: false };
    }
    const known = entry.volumes.get(volume.name);
    if (volume.emptyDir !== undefined) return known ?? this.#emptyDir(pod, volume.name, volume.emptyDir);
    const payload = await this.#payload(pod, volume, entry, known);
    if (payload !== undefined) return payload;
    if (known !== undefined) return known;
    const claimed = await claimedVolume(client, files, pod, volume);
    if (claimed === undefined) throw new Error('no volume plugin matched');
    if (claimed.managed && !claimed.readOnly) await this.#giveToGroup(pod, claimed.path, false);
    return claimed;
  }

  async #emptyDir(pod: Pod, name: string, source: coreV1.EmptyDirVolumeSource): Promise<MountedVolume> {
    const { files, folders } = this.#options;
    const path = folders.volume(podUid(pod), 'kubernetes.io~empty-dir', name);
    if (source.medium === 'Memory') await this.#mounts.mountTmpfs(path, memorySize(pod, source));
    else await files.mkdir(path, { recursive: true });
    await files.chmod(path, 0o777);
    await this.#giveToGroup(pod, path, false);
    return { path, readOnly: false };
  }

  async #payload(
    pod: Pod,
    volume: coreV1.Volume,
    entry: PodEntry,
    known: MountedVolume | undefined,
  ): Promise<MountedVolume | undefined> {
    const { objects, facts, folders } = this.#options;
    const context = { pod, objects, tokens: this.#tokens, facts: facts(pod) };
    const built = await volumePayload(volume, context);
    if (built === undefined) return undefined;
    const { refreshAtMs } = built;
    if (refreshAtMs !== undefined)
      entry.refreshAtMs = Math.min(entry.refreshAtMs ?? refreshAtMs, refreshAtMs);
    const uid = podUid(pod);
    const [plugin, inMemory] = placeOf(volume);
    const path = inMemory
      ? folders.memoryVolume(uid, plugin, volume.name)
      : folders.volume(uid, plugin, volume.name);
    if (!samePayload(known?.payload, built.files)) {
      await this.#writer.write(path, built.files, (folder) => this.#giveToGroup(pod, folder, true));
    }
    return { path, readOnly: true, payload: built.files };
  }

  async #giveToGroup(pod: Pod, path: string, readOnly: boolean): Promise<void> {
    const { fsGroup, fsGroupChangePolicy } = pod.spec.securityContext ?? {};
    if (fsGroup === undefined) return;
    await applyFsGroup(this.#options.files, path, fsGroup, {
      readOnly,
      onlyIfRootDiffers: fsGroupChangePolicy === 'OnRootMismatch',
    });
  }

  #planRefresh(uid: string, entry: PodEntry): void {
    entry.refresh?.cancel();
    entry.refresh = undefined;
    if (entry.refreshAtMs === undefined) return;
    const delayMs = Math.max(0, entry.refreshAtMs - this.#options.clock.now());
    entry.refresh = this.#options.clock.setTimer(delayMs, () => this.#options.onStale(uid));
  }
}

/** Upstream's plugin folder, and whether the content must stay in memory. */
function placeOf(volume: coreV1.Volume): readonly [string, boolean] {
  if (volume.configMap !== undefined) return ['kubernetes.io~configmap', false];
  if (volume.secret !== undefined) return ['kubernetes.io~secret', true];
  if (volume.downwardAPI !== undefined) return ['kubernetes.io~downward-api', true];
  return ['kubernetes.io~projected', true];
}

function propagationOf({ mountPropagation }: coreV1.VolumeMount): Mount['propagation'] {
  switch (mountPropagation) {
    case 'HostToContainer':
      return 'HOST_TO_CONTAINER';
    case 'Bidirectional':
      return 'BIDIRECTIONAL';
    default:
      return 'PRIVATE';
  }
}

/** The smaller of what the volume and the pod may use; undefined: what the kernel gives. */
function memorySize(pod: Pod, source: coreV1.EmptyDirVolumeSource): number | undefined {
  const limits = [
    podLimits(pod).get('memory') ?? 0,
    source.sizeLimit === undefined ? 0 : valueOf(source.sizeLimit),
  ];
  const set = limits.filter((limit) => limit > 0);
  return set.length === 0 ? undefined : Math.min(...set);
}
