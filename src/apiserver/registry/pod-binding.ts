/** `pods/binding`: the scheduler's decision, written into the pod in one step. */
import type { coreV1 } from '#api';
import {
  badRequest,
  conflict,
  type KubeObject,
  notSupported,
  type ObjectMetadata,
  type ResourceTarget,
  StatusError,
} from '#machinery';
import type { Clock } from '#platform';
import { formatTime } from '#platform';
import type { Store } from '#store';
import { typed } from '../typed-object.ts';
import { withMetadata } from './object-metadata.ts';
import { withTrueCondition } from './pod-condition.ts';
import { changeStored } from './store-commit.ts';
import type { StoredResource } from './stored-resource.ts';

const SUBJECT = { group: '', resource: 'pods/binding' };

export async function bindPod(
  deps: { readonly store: Store; readonly clock: Clock; readonly pods: StoredResource },
  target: ResourceTarget,
  body: KubeObject,
): Promise<void> {
  const binding = typed<coreV1.Binding>(body);
  const name = target.name ?? body.metadata.name ?? '';
  const node = binding.target;
  if (name !== (body.metadata.name ?? ''))
    throw badRequest('name in URL does not match name in Binding object');
  if ((node.kind ?? '') !== '' && node.kind !== 'Node') {
    const { field, body: text } = notSupported('target.kind', node.kind, ['Node', '<empty>']);
    throw new StatusError(500, '', `${field}: ${text}`);
  }
  if ((node.name ?? '') === '') throw new StatusError(500, '', 'target.name: Required value');
  const now = formatTime(deps.clock.now());
  await changeStored(deps.store, deps.pods, deps.pods.keyOf(target.namespace, name), (live) => {
    const { uid, resourceVersion } = body.metadata;
    if (uid !== undefined && uid !== live.metadata.uid) {
      throw conflict(
        SUBJECT,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid ?? ''}`,
      );
    }
    if (
      resourceVersion !== undefined &&
      resourceVersion !== '' &&
      resourceVersion !== live.metadata.resourceVersion
    ) {
      throw conflict(
        SUBJECT,
        name,
        `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${live.metadata.resourceVersion ?? ''}`,
      );
    }
    return bound(live, name, node.name ?? '', body.metadata, now);
  });
}

function bound(
  live: KubeObject,
  name: string,
  nodeName: string,
  binding: ObjectMetadata,
  now: string,
): KubeObject {
  const pod = typed<coreV1.Pod>(live);
  if (live.metadata.deletionTimestamp !== undefined) {
    throw conflict(SUBJECT, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  if ((pod.spec.nodeName ?? '') !== '') {
    throw conflict(
      SUBJECT,
      name,
      `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`,
    );
  }
  if ((pod.spec.schedulingGates?.length ?? 0) > 0) {
    throw conflict(SUBJECT, name, `pod ${name} has non-empty .spec.schedulingGates`);
  }
  const { nominatedNodeName: _, ...status } = pod.status;
  const placed: KubeObject = { ...live, spec: { ...pod.spec, nodeName }, status };
  const conditioned = withTrueCondition(placed, { type: 'PodScheduled' }, now);
  return withMetadata(conditioned, {
    annotations: merged(live.metadata.annotations, binding.annotations),
    labels: merged(live.metadata.labels, binding.labels),
  });
}

function merged(
  own: Readonly<Record<string, string>> | undefined,
  more: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> | undefined {
  return more === undefined ? own : { ...own, ...more };
}
