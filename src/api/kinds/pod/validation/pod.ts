/** A pod when it is made and when it is changed. */
import {
  deepEqual,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  required,
  validateInRange,
} from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { addInvalid, type Errors } from '../../field-rules.ts';
import { specDiff } from '../../spec-diff.ts';
import { checkAnnotationUpdates, checkPodAnnotations, checkProfilesAgree } from './annotations.ts';
import { checkEphemeralUpdate } from './ephemeral-update.ts';
import { checkNodeAffinityAdditions, checkNodeSelectorAdditions } from './gated-update.ts';
import { checkImageWhitespace } from './images.ts';
import { checkPodSpec } from './pod-spec.ts';
import { checkResize } from './resize.ts';
import { checkTolerations } from './scheduling.ts';

type Pod = coreV1.Pod;
type PodSpec = coreV1.PodSpec;

const metadataPath = new FieldPath('metadata');
const specPath = new FieldPath('spec');
const MAX_INT32 = 2_147_483_647;

function checkPod(pod: Pod, old: Pod | undefined, errors: Errors): void {
  const { metadata, spec } = pod;
  checkPodAnnotations(metadata.annotations, spec, metadataPath.child('annotations'), errors);
  checkPodSpec(spec, { metadata, ...(old === undefined ? {} : { old: old.spec }) }, specPath, errors);
  if ((spec.serviceAccountName ?? '') === '') checkNoTokens(spec, errors);
  for (const field of ['containers', 'initContainers'] as const) {
    for (const [i, { image }] of (spec[field] ?? []).entries()) {
      checkImageWhitespace(image, specPath.child(field).index(i).child('image'), errors);
    }
  }
}

function checkNoTokens(spec: PodSpec, errors: Errors): void {
  for (const [i, { projected }] of (spec.volumes ?? []).entries()) {
    for (const [j, { serviceAccountToken }] of (projected?.sources ?? []).entries()) {
      if (serviceAccountToken === undefined) continue;
      const path = specPath.child('volumes').index(i).child('projected', 'sources').index(j);
      const why = 'must not be specified when serviceAccountName is not set';
      errors.push(fieldForbidden(path.child('serviceAccountToken'), why));
    }
  }
}

export function validatePodCreate(pod: Pod): readonly FieldError[] {
  const errors: Errors = [];
  const { spec } = pod;
  checkPod(pod, undefined, errors);
  if ((spec.ephemeralContainers ?? []).length > 0) {
    errors.push(fieldForbidden(specPath.child('ephemeralContainers'), 'cannot be set on create'));
  }
  if ((spec.nodeName ?? '') !== '' && (spec.schedulingGates ?? []).length > 0) {
    const why = 'cannot be set until all schedulingGates have been cleared';
    errors.push(fieldForbidden(specPath.child('nodeName'), why));
  }
  checkProfilesAgree(pod.metadata.annotations, spec, specPath, errors);
  return errors;
}

export function validatePodUpdate(
  pod: Pod,
  old: Pod,
  subresource: string | undefined,
): readonly FieldError[] {
  const errors: Errors = [];
  checkPod(pod, old, errors);
  if (subresource === 'resize') return checkResize(pod, old, errors);
  checkAnnotationUpdates(
    pod.metadata.annotations,
    old.metadata.annotations,
    metadataPath.child('annotations'),
    errors,
  );
  checkPodAnnotations(pod.metadata.annotations, pod.spec, metadataPath.child('annotations'), errors);
  if (subresource === 'ephemeralcontainers') return checkEphemeralUpdate(pod, old, errors);
  checkSpecUpdate(pod.spec, old.spec, errors);
  return errors;
}

function checkSpecUpdate(next: PodSpec, old: PodSpec, errors: Errors): void {
  for (const field of ['containers', 'initContainers'] as const) {
    const path = specPath.child(field);
    const containers = next[field] ?? [];
    if (containers.length !== (old[field] ?? []).length) {
      errors.push(fieldForbidden(path, 'pod updates may not add or remove containers'));
      return;
    }
    for (const [i, { image = '' }] of containers.entries()) {
      const imagePath = path.index(i).child('image');
      if (image === '') errors.push(required(imagePath));
      checkImageWhitespace(image, imagePath, errors);
    }
  }
  if (!checkDeadlineUpdate(next.activeDeadlineSeconds, old.activeDeadlineSeconds, errors)) return;
  checkTolerationUpdate(next.tolerations ?? [], old.tolerations ?? [], errors);
  checkGateUpdate(next.schedulingGates ?? [], old.schedulingGates ?? [], errors);
  if (deepEqual(next, old)) return;
  const unchanged = withoutAllowedChanges(next, old, errors);
  if (deepEqual(unchanged, old)) return;
  const why = `pod updates may not change fields other than ${UPDATABLE.join(',')}\n${specDiff(old, unchanged)}`;
  errors.push(fieldForbidden(specPath, why));
}

const UPDATABLE = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
];

/** False when the rest need not be looked at. */
function checkDeadlineUpdate(next: number | undefined, old: number | undefined, errors: Errors): boolean {
  const path = specPath.child('activeDeadlineSeconds');
  if (next === undefined) {
    if (old !== undefined) {
      errors.push(invalid(path, null, 'must not update from a positive integer to nil value'));
    }
    return true;
  }
  if (next < 0 || next > MAX_INT32) {
    addInvalid(validateInRange(next, 0, MAX_INT32), path, next, errors);
    return false;
  }
  if (old === undefined || old >= next) return true;
  errors.push(invalid(path, next, 'must be less than or equal to previous value'));
  return false;
}

function checkTolerationUpdate(
  next: readonly coreV1.Toleration[],
  old: readonly coreV1.Toleration[],
  errors: Errors,
): void {
  const path = specPath.child('tolerations');
  const sameButTime = (a: coreV1.Toleration, b: coreV1.Toleration): boolean =>
    deepEqual({ ...a, tolerationSeconds: undefined }, { ...b, tolerationSeconds: undefined });
  if (!old.every((toleration) => next.some((candidate) => sameButTime(candidate, toleration)))) {
    const why = 'existing toleration can not be modified except its tolerationSeconds';
    errors.push(fieldForbidden(path, why));
    return;
  }
  checkTolerations(next, path, errors);
}

function checkGateUpdate(
  next: readonly coreV1.PodSchedulingGate[],
  old: readonly coreV1.PodSchedulingGate[],
  errors: Errors,
): void {
  for (const [i, { name }] of next.entries()) {
    if (old.some((gate) => gate.name === name)) continue;
    const why = `only deletion is allowed, but found new scheduling gate '${name}'`;
    errors.push(fieldForbidden(specPath.child('schedulingGates').index(i).child('name'), why));
  }
}

/** `next` with everything that may change taken from `old`: what differs then may not. */
function withoutAllowedChanges(next: PodSpec, old: PodSpec, errors: Errors): PodSpec {
  const withOldImages = (
    containers: readonly coreV1.Container[] | undefined,
    olds: readonly coreV1.Container[] = [],
  ): readonly coreV1.Container[] | undefined =>
    containers?.map((container, i) => ({ ...container, image: olds[i]?.image }));
  const gracePeriod =
    (old.terminationGracePeriodSeconds ?? 0) < 0 && next.terminationGracePeriodSeconds === 1
      ? old.terminationGracePeriodSeconds
      : next.terminationGracePeriodSeconds;
  const munged = {
    ...next,
    containers: withOldImages(next.containers, old.containers),
    initContainers: withOldImages(next.initContainers, old.initContainers),
    activeDeadlineSeconds: old.activeDeadlineSeconds,
    schedulingGates: old.schedulingGates,
    tolerations: old.tolerations,
    terminationGracePeriodSeconds: gracePeriod,
    // Sound: the same fields as before, each of its own type; undefined ones count as absent.
  } as PodSpec;
  if ((old.schedulingGates ?? []).length === 0) return munged;
  return withoutPlacementChanges(munged, old, errors);
}

/** While it is gated, where a pod may run can be narrowed. */
function withoutPlacementChanges(next: PodSpec, old: PodSpec, errors: Errors): PodSpec {
  checkNodeSelectorAdditions(next.nodeSelector, old.nodeSelector, specPath.child('nodeSelector'), errors);
  const oldAffinity = old.affinity?.nodeAffinity;
  checkNodeAffinityAdditions(
    next.affinity?.nodeAffinity,
    oldAffinity,
    specPath.child('affinity', 'nodeAffinity'),
    errors,
  );
  const merged = { ...next.affinity, nodeAffinity: oldAffinity };
  const isNothing = Object.values(merged).every((part) => part === undefined);
  const affinity = isNothing && old.affinity === undefined ? undefined : merged;
  return { ...next, nodeSelector: old.nodeSelector, affinity };
}
