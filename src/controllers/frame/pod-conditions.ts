import type { coreV1 } from '#api';
import type { Client } from '#client';
import { resources } from '#client';

/**
 * Writes one condition of a pod by strategic merge, touching nothing else; `phase` as well when given. The condition
 * carries the generation of the pod it was decided on.
 */
export async function patchPodCondition(
  client: Client,
  pod: coreV1.Pod,
  condition: Pick<coreV1.PodCondition, 'type' | 'status' | 'reason' | 'message'>,
  { now, phase }: { readonly now: string; readonly phase?: string },
): Promise<void> {
  const { name, namespace = '', uid, generation } = pod.metadata;
  const current = pod.status.conditions?.find(({ type }) => type === condition.type);
  const transitioned = current?.status !== condition.status;
  const lastTransitionTime = transitioned ? now : current.lastTransitionTime;
  const observedGeneration = generation === undefined ? {} : { observedGeneration: generation };
  const status = {
    ...(phase === undefined ? {} : { phase }),
    conditions: [{ ...condition, lastTransitionTime, ...observedGeneration }],
  };
  await client
    .resource(resources.pods, namespace)
    .patch(
      name,
      'application/strategic-merge-patch+json',
      { metadata: { uid }, status },
      { subresource: 'status' },
    );
}
