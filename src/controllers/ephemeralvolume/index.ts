import type { coreV1 } from '#api';
import { type Client, objectKey, resources } from '#client';
import { defineController } from '../frame/controller.ts';
import { controllerReference, isControlledBy } from '../frame/ownership.ts';
import { messageOf } from '../frame/pod-control.ts';
import { isTerminating } from '../frame/pods.ts';

type Pod = coreV1.Pod;
type Claim = coreV1.PersistentVolumeClaim;
type Volume = coreV1.Volume;

const WORKERS = 10;
const BY_CLAIM = 'ephemeralvolume/claim';

const claimName = (pod: Pod, volume: Volume): string => `${pod.metadata.name}-${volume.name}`;
const ephemeralVolumes = ({ spec }: Pod): readonly Volume[] =>
  spec.volumes?.filter(({ ephemeral }) => ephemeral !== undefined) ?? [];
const claimKeys = (pod: Pod): readonly string[] =>
  ephemeralVolumes(pod).map((volume) => `${pod.metadata.namespace ?? ''}/${claimName(pod, volume)}`);

/** Makes the claims that live and die with their pod (KEP-1698, generic ephemeral volumes). */
export const ephemeralVolumeController = defineController({
  name: 'ephemeral_volume',
  identity: 'ephemeral-volume-controller',
  workers: WORKERS,
  setup({ client, informers, queue, events }) {
    const pods = informers.for(resources.pods);
    const claims = informers.for(resources.persistentVolumeClaims);
    pods.addIndex(BY_CLAIM, claimKeys);
    const enqueue = (pod: Pod): void => {
      if (!isTerminating(pod) && ephemeralVolumes(pod).length > 0) queue.add(objectKey(pod));
    };
    const removeHandlers = [
      // What a pod claims never changes.
      pods.addHandler({ onAdd: enqueue }),
      claims.addHandler({
        onDelete: (claim) => {
          for (const pod of pods.byIndex(BY_CLAIM, objectKey(claim))) enqueue(pod);
        },
      }),
    ];
    return {
      informers: [pods, claims],
      async reconcile(key) {
        const pod = pods.get(key);
        if (pod === undefined || isTerminating(pod)) return undefined;
        const namespace = pod.metadata.namespace ?? '';
        for (const volume of ephemeralVolumes(pod)) {
          try {
            await ensureClaim(client, pod, volume, claims.get(`${namespace}/${claimName(pod, volume)}`));
          } catch (error) {
            const message = `ephemeral volume ${volume.name}: ${messageOf(error)}`;
            events.event(pod, 'Warning', 'FailedBinding', message);
            throw new Error(`pod ${key}, ${message}`, { cause: error });
          }
        }
        return undefined;
      },
      stop() {
        for (const remove of removeHandlers) remove();
      },
    };
  },
});

/** @throws Error when somebody else's claim has the name, or it cannot be created. */
async function ensureClaim(
  client: Client,
  pod: Pod,
  volume: Volume,
  claim: Claim | undefined,
): Promise<void> {
  const { namespace = '', name: podName } = pod.metadata;
  const name = claimName(pod, volume);
  if (claim !== undefined) {
    if (isControlledBy(claim, pod)) return;
    throw new Error(
      `PVC ${namespace}/${name} was not created for pod ${namespace}/${podName} (pod is not owner)`,
    );
  }
  const template = volume.ephemeral?.volumeClaimTemplate;
  const { labels, annotations } = template?.metadata ?? {};
  try {
    await client.resource(resources.persistentVolumeClaims, namespace).create({
      metadata: {
        name,
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
        ownerReferences: [controllerReference({ ...pod, apiVersion: 'v1', kind: 'Pod' })],
      },
      spec: template?.spec ?? {},
    });
  } catch (error) {
    throw new Error(`create PVC ${name}: ${messageOf(error)}`, { cause: error });
  }
}
