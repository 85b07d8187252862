import type { coreV1 } from '#api';
import { objectKey, resources } from '#client';
import { isNotFound } from '#machinery';
import { formatTime, type MonotonicMs } from '#platform';
import { defineController } from '../frame/controller.ts';
import { indexByNode, podsOnNode } from '../frame/indexes.ts';
import { patchPodCondition } from '../frame/pod-conditions.ts';
import { toleratedForMs } from './tolerance.ts';

const WORKERS = 8;

const noExecute = (node: coreV1.Node | undefined): readonly coreV1.Taint[] =>
  node?.spec.taints?.filter(({ effect }) => effect === 'NoExecute') ?? [];

/** Deletes pods whose node has a NoExecute taint that they do not, or no longer, tolerate. */
export const taintEvictionController = defineController({
  name: 'taint-eviction-controller',
  identity: 'node-controller',
  workers: WORKERS,
  setup({ client, informers, events, queue, clock }) {
    const nodes = informers.for(resources.nodes);
    const pods = informers.for(resources.pods);
    indexByNode(pods);
    /** Pods living on borrowed time: since when. An entry goes with its pod or the taints. */
    const since = new Map<string, MonotonicMs>();
    const cancel = (pod: coreV1.Pod): void => {
      if (!since.delete(objectKey(pod))) return;
      events.event(pod, 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${objectKey(pod)}`);
    };
    const enqueue = (pod: coreV1.Pod): void => {
      if (noExecute(nodes.get(pod.spec.nodeName ?? '')).length > 0) queue.add(objectKey(pod));
    };
    const onNode = (node: coreV1.Node, old?: coreV1.Node): void => {
      if (noExecute(node).length === 0 && noExecute(old).length === 0) return;
      for (const pod of podsOnNode(pods, node.metadata.name)) queue.add(objectKey(pod));
    };
    const removeHandlers = [
      nodes.addHandler({ onAdd: onNode, onUpdate: onNode }),
      pods.addHandler({
        onAdd: enqueue,
        onUpdate: enqueue,
        onDelete: (pod) => since.delete(objectKey(pod)),
      }),
    ];
    const evict = async (pod: coreV1.Pod): Promise<void> => {
      const key = objectKey(pod);
      events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByTaintManager',
        message: 'Taint manager: deleting due to NoExecute taint',
      };
      const { name, namespace = '', uid } = pod.metadata;
      try {
        await patchPodCondition(client, pod, condition, { now: formatTime(clock.now()) });
        await client.resource(resources.pods, namespace).delete(name, { preconditions: { uid } });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
      since.delete(key);
    };
    return {
      informers: [nodes, pods],
      async reconcile(key) {
        const pod = pods.get(key);
        if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return undefined;
        const taints = noExecute(nodes.get(pod.spec.nodeName ?? ''));
        const allowedMs =
          taints.length === 0 ? Number.POSITIVE_INFINITY : toleratedForMs(taints, pod.spec.tolerations ?? []);
        if (allowedMs === Number.POSITIVE_INFINITY) {
          cancel(pod);
          return undefined;
        }
        const now = clock.monotonic();
        const from = since.get(key) ?? now;
        since.set(key, from);
        const leftMs = from + allowedMs - now;
        if (leftMs > 0) return { requeueAfterMs: leftMs };
        await evict(pod);
        return undefined;
      },
      stop() {
        for (const remove of removeHandlers) remove();
      },
    };
  },
});
