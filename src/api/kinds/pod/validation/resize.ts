/** The `resize` subresource: CPU and memory of running containers. */
import { deepEqual, type FieldError, FieldPath, fieldForbidden, invalid } from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { type Errors, ROOT } from '../../field-rules.ts';
import type { ResourceList } from '../../resource-rules.ts';
import { qualityOfService } from '../quality-of-service.ts';
import { MIRROR_POD } from './annotations.ts';

type Pod = coreV1.Pod;
type PodSpec = coreV1.PodSpec;
type Container = coreV1.Container;
type Requirements = coreV1.ResourceRequirements;

const specPath = new FieldPath('spec');

/** @param errors what was found before; given back with what is found here. */
export function checkResize(pod: Pod, old: Pod, errors: Errors): readonly FieldError[] {
  if (old.metadata.annotations?.[MIRROR_POD] !== undefined) {
    return [fieldForbidden(ROOT, 'static pods cannot be resized')];
  }
  if (old.spec.os?.name === 'windows') return [fieldForbidden(ROOT, 'windows pods cannot be resized')];
  if ((old.status.qosClass ?? qualityOfService(old.spec)) !== qualityOfService(pod.spec)) {
    const why = 'Pod QOS Class may not change as a result of resizing';
    errors.push(invalid(specPath, pod.status.qosClass ?? '', why));
  }
  if (!reportsResources(old)) {
    errors.push(fieldForbidden(specPath, 'Pod running on node without support for resize'));
  }
  const podResources = checkPodLevelResize(pod.spec, old.spec, errors);
  if ((old.status.nodeAllocatableResourceClaimStatuses ?? []).length > 0) {
    const why = 'pods with node allocatable resource claims cannot be resized';
    errors.push(fieldForbidden(specPath, why));
  }
  if (!checkSameContainers(pod.spec, old.spec, errors)) return errors;
  checkContainerResizes(pod.spec, old.spec, errors);
  const containers = checkOnlyCompute(pod.spec, old.spec, errors);
  if (errors.length > 0) return errors;
  // Sound: the pod's own fields, with resources of the old one.
  const munged = { ...pod.spec, ...containers, resources: podResources } as PodSpec;
  if (!deepEqual(munged, old.spec)) {
    errors.push(fieldForbidden(specPath, 'only cpu and memory resources are mutable'));
  }
  return errors;
}

/** A kubelet that can resize tells the resources of what runs. */
function reportsResources(pod: Pod): boolean {
  const running = pod.status.containerStatuses?.find(({ state }) => state?.running !== undefined);
  return running === undefined || running.resources !== undefined;
}

const isSet = ({ resources }: PodSpec): boolean =>
  Object.keys(resources?.requests ?? {}).length + Object.keys(resources?.limits ?? {}).length > 0;

function checkPodLevelResize(next: PodSpec, old: PodSpec, errors: Errors): Requirements | undefined {
  if (!isSet(next) && !isSet(old)) return next.resources;
  const path = specPath.child('resources');
  if (next.resources === undefined) {
    errors.push(fieldForbidden(path, 'pod-level resources cannot be removed'));
    return undefined;
  }
  if (old.resources !== undefined) {
    for (const field of ['requests', 'limits'] as const) {
      if (!loses(next.resources[field], old.resources[field])) continue;
      errors.push(fieldForbidden(path.child(field), `pod-level resource ${field} cannot be removed`));
    }
  }
  const kept = withOldCompute(next.resources, old.resources);
  const isNothing = Object.keys(kept).length === 0 && old.resources === undefined;
  const munged = isNothing ? undefined : kept;
  if (!deepEqual(munged, old.resources)) {
    errors.push(fieldForbidden(specPath, 'only cpu and memory resources are mutable at pod-level'));
  }
  return munged;
}

const loses = (next: ResourceList = {}, old: ResourceList = {}): boolean =>
  Object.keys(old).some((name) => next[name] === undefined);

/** CPU and memory of the old, everything else of the new; empty lists are absent. */
function withOldCompute(next: Requirements | undefined, old: Requirements | undefined): Requirements {
  const list = (field: 'limits' | 'requests'): ResourceList | undefined => {
    const { cpu: _cpu, memory: _memory, ...rest } = next?.[field] ?? {};
    const { cpu, memory } = old?.[field] ?? {};
    const merged = {
      ...rest,
      ...(cpu === undefined ? {} : { cpu }),
      ...(memory === undefined ? {} : { memory }),
    };
    return Object.keys(merged).length === 0 ? undefined : merged;
  };
  const limits = list('limits');
  const requests = list('requests');
  return {
    ...(limits === undefined ? {} : { limits }),
    ...(requests === undefined ? {} : { requests }),
  };
}

const LISTS = ['containers', 'initContainers'] as const;

function checkSameContainers(next: PodSpec, old: PodSpec, errors: Errors): boolean {
  const before = errors.length;
  for (const field of LISTS) {
    const path = specPath.child(field);
    const containers = next[field] ?? [];
    const olds = old[field] ?? [];
    if (containers.length !== olds.length) {
      errors.push(fieldForbidden(path, `${field} may not be added or removed on resize`));
      continue;
    }
    for (const [i, { name }] of olds.entries()) {
      if (containers[i]?.name === name) continue;
      const why = `${field} may not be renamed or reordered on resize`;
      errors.push(fieldForbidden(path.index(i).child('name'), why));
    }
  }
  return errors.length === before;
}

const isSidecar = ({ restartPolicy }: Container): boolean => restartPolicy === 'Always';

function checkContainerResizes(next: PodSpec, old: PodSpec, errors: Errors): void {
  for (const field of ['initContainers', 'containers'] as const) {
    for (const [i, container] of (old[field] ?? []).entries()) {
      if (field === 'initContainers' && !isSidecar(container)) continue;
      const path = specPath.child(field).index(i).child('resources');
      const resources = next[field]?.[i]?.resources;
      for (const list of ['requests', 'limits'] as const) {
        if (!loses(resources?.[list], container.resources?.[list])) continue;
        errors.push(fieldForbidden(path.child(list), `resource ${list} cannot be removed`));
      }
    }
  }
}

/** The containers with CPU and memory of the old ones: nothing else may differ. */
function checkOnlyCompute(
  next: PodSpec,
  old: PodSpec,
  errors: Errors,
): Pick<PodSpec, 'containers' | 'initContainers'> {
  const containers = next.containers.map((container, i) => {
    const before = old.containers[i];
    const munged = { ...container, resources: withOldCompute(container.resources, before?.resources) };
    if (!deepEqual(munged, before)) {
      errors.push(fieldForbidden(specPath, 'only cpu and memory resources are mutable'));
    }
    return munged;
  });
  const initContainers = next.initContainers?.map((container, i) => {
    const before = old.initContainers?.[i];
    if (!isSidecar(container)) {
      if (!deepEqual(container, before)) {
        const why = 'resources for non-sidecar init containers are immutable';
        errors.push(fieldForbidden(specPath, why));
      }
      return container;
    }
    const munged = { ...container, resources: withOldCompute(container.resources, before?.resources) };
    if (!deepEqual(munged, before)) {
      const why = 'only cpu and memory resources for init or sidecar containers are mutable';
      errors.push(fieldForbidden(specPath.child('initContainers').index(i), why));
    }
    return munged;
  });
  return { containers, ...(initContainers === undefined ? {} : { initContainers }) };
}
