import type { coreV1 } from '#api';
import { objectKey, resources } from '#client';
import { isNotFound } from '#machinery';
import { formatTime } from '#platform';
import { type Controller, type ControllerContext, defineController } from '../frame/controller.ts';
import { indexByNode, podsOnNode } from '../frame/indexes.ts';
import { patchPodCondition } from '../frame/pod-conditions.ts';
import { isFinished, isTerminating } from '../frame/pods.ts';
import { isNodeReady } from '../nodelifecycle/node-taints.ts';

export interface PodCollectorOptions {
  /** Ended pods that are kept for people to look at. Default 12,500. */
  readonly endedPodThreshold?: number;
}

const ENDED_POD_THRESHOLD = 12_500;
/** A node that is unknown may only be late in the cache. */
const QUARANTINE_MS = 40_000;
const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';

const ENDED = 'ended';
const NODE = 'node:';
const POD = 'pod:';
const BY_ENDED = 'pod-garbage-collector/ended';
const endedKeys = (pod: coreV1.Pod): readonly string[] => (isFinished(pod) ? [ENDED] : []);

/** Removes pods that no kubelet will: their node is gone, they never had one, or too many have ended. */
export function podGarbageCollector({
  endedPodThreshold = ENDED_POD_THRESHOLD,
}: PodCollectorOptions = {}): Controller {
  return defineController({
    name: 'pod-garbage-collector',
    workers: 1,
    setup(context) {
      const { informers, queue } = context;
      const nodes = informers.for(resources.nodes);
      const pods = informers.for(resources.pods);
      indexByNode(pods);
      pods.addIndex(BY_ENDED, endedKeys);
      const ended = (): readonly coreV1.Pod[] => pods.byIndex(BY_ENDED, ENDED);
      const mustGo = (pod: coreV1.Pod): boolean => {
        if (!isTerminating(pod)) return false;
        const nodeName = pod.spec.nodeName ?? '';
        if (nodeName === '') return true;
        const node = nodes.get(nodeName);
        const isOut = node?.spec.taints?.some(({ key }) => key === OUT_OF_SERVICE) === true;
        return node !== undefined && isOut && !isNodeReady(node);
      };
      const onPod = (pod: coreV1.Pod): void => {
        const nodeName = pod.spec.nodeName ?? '';
        if (nodeName !== '' && nodes.get(nodeName) === undefined)
          queue.addAfter(NODE + nodeName, QUARANTINE_MS);
        if (mustGo(pod)) queue.add(POD + objectKey(pod));
        if (isFinished(pod) && ended().length > endedPodThreshold) queue.add(ENDED);
      };
      const onNode = ({ metadata }: coreV1.Node): void => {
        for (const pod of podsOnNode(pods, metadata.name)) if (mustGo(pod)) queue.add(POD + objectKey(pod));
      };
      const removeHandlers = [
        pods.addHandler({ onAdd: onPod, onUpdate: onPod }),
        nodes.addHandler({
          onUpdate: onNode,
          onDelete: ({ metadata }) => queue.addAfter(NODE + metadata.name, QUARANTINE_MS),
        }),
      ];
      return {
        informers: [nodes, pods],
        async reconcile(key) {
          if (key === ENDED) {
            const surplus = ended()
              .toSorted(evictedThenOldest)
              .slice(0, Math.max(0, ended().length - endedPodThreshold));
            await Promise.all(surplus.map((pod) => collect(context, pod)));
          } else if (key.startsWith(NODE)) {
            const name = key.slice(NODE.length);
            if (nodes.get(name) !== undefined || (await exists(context, name))) return undefined;
            await Promise.all(podsOnNode(pods, name).map((pod) => collect(context, pod, NODE_GONE)));
          } else {
            const pod = pods.get(key.slice(POD.length));
            if (pod !== undefined && mustGo(pod)) await collect(context, pod);
          }
          return undefined;
        },
        stop() {
          for (const remove of removeHandlers) remove();
        },
      };
    },
  });
}

const NODE_GONE = {
  type: 'DisruptionTarget',
  status: 'True',
  reason: 'DeletionByPodGC',
  message: 'PodGC: node no longer exists',
};

function evictedThenOldest(a: coreV1.Pod, b: coreV1.Pod): number {
  const evicted = (pod: coreV1.Pod): number => (pod.status.reason === 'Evicted' ? 0 : 1);
  const age = (pod: coreV1.Pod): string => `${pod.metadata.creationTimestamp} ${pod.metadata.name}`;
  return evicted(a) - evicted(b) || (age(a) < age(b) ? -1 : 1);
}

async function exists({ client }: ControllerContext, node: string): Promise<boolean> {
  try {
    await client.resource(resources.nodes).get(node);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** Nobody will ever report how it ended, so it counts as failed; then it goes without a grace period. */
async function collect(
  { client, clock }: ControllerContext,
  pod: coreV1.Pod,
  condition?: Parameters<typeof patchPodCondition>[2],
): Promise<void> {
  const { name, namespace = '', uid } = pod.metadata;
  const pods = client.resource(resources.pods, namespace);
  try {
    if (!isFinished(pod)) {
      const now = formatTime(clock.now());
      if (condition !== undefined) await patchPodCondition(client, pod, condition, { now, phase: 'Failed' });
      else {
        const patch = { metadata: { uid }, status: { phase: 'Failed' } };
        await pods.patch(name, 'application/strategic-merge-patch+json', patch, { subresource: 'status' });
      }
    }
    await pods.delete(name, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
