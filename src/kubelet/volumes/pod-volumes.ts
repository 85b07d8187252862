/** The volumes of pods as the rest of the kubelet sees them. */
import type { Mount } from '#cri';
import type { Environment } from '../environment/environment.ts';
import type { Container, Pod } from '../pods/pod-spec.ts';

export interface MountInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly env: Environment;
  /** Image volumes that were pulled: volume name → image id. */
  readonly imageVolumes: ReadonlyMap<string, string>;
}

export interface PodVolumes {
  /** Makes every volume of the pod ready and keeps it true to its sources until `unmount`. @throws Error that says which could not be. */
  mount(pod: Pod, options: { readonly signal: AbortSignal }): Promise<void>;
  /** In the order of the container's volumeMounts. @throws Error for a volume that is not there or a bad subPath. */
  mountsOf(input: MountInput): Promise<readonly Mount[]>;
  /** Group ids that the volumes ask the containers to have. */
  groupsOf(pod: Pod): readonly number[];
  /** Takes everything of the pod down. Idempotent; works for a pod of which only the uid is known. */
  unmount(podUid: string): Promise<void>;
}
