/** Annotations that mean something on pods: mirror pods, deletion cost, the old form of security profiles. */
import { type FieldPath, fieldForbidden, invalid } from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { type Errors, sortedEntries } from '../../field-rules.ts';
import { allContainers } from './security.ts';
import { checkDescendingPath } from './volume-files.ts';

export const MIRROR_POD = 'kubernetes.io/config.mirror';
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/';
const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io/';
const LOCALHOST = 'localhost/';

type Annotations = Readonly<Record<string, string>>;

const isInt32 = (text: string): boolean =>
  /^(?:[1-9]\d*|-[1-9]\d*|0)$/.test(text) && Math.abs(Number(text) + 0.5) < 2 ** 31;

export function checkPodAnnotations(
  annotations: Annotations | undefined,
  spec: coreV1.PodSpec,
  at: FieldPath,
  errors: Errors,
): void {
  if (annotations === undefined) return;
  const mirror = annotations[MIRROR_POD];
  if (mirror !== undefined && (spec.nodeName ?? '') === '') {
    errors.push(
      invalid(at.key(MIRROR_POD), mirror, 'must set spec.nodeName if mirror pod annotation is set'),
    );
  }
  const cost = annotations[DELETION_COST];
  if (cost !== undefined && !isInt32(cost)) {
    errors.push(invalid(at.key(DELETION_COST), cost, 'must be a 32bit integer'));
  }
  for (const [key, value] of sortedEntries(annotations)) {
    if (key === SECCOMP_POD || key.startsWith(SECCOMP_CONTAINER)) {
      checkSeccompText(value, at.child(key), errors);
    }
  }
  checkAppArmor(annotations, spec, at, errors);
}

function checkSeccompText(text: string, at: FieldPath, errors: Errors): void {
  if (text === 'runtime/default' || text === 'docker/default' || text === 'unconfined') return;
  if (text.startsWith(LOCALHOST)) checkDescendingPath(text.slice(LOCALHOST.length), at, errors);
  else errors.push(invalid(at, text, 'must be a valid seccomp profile'));
}

function checkAppArmor(annotations: Annotations, spec: coreV1.PodSpec, at: FieldPath, errors: Errors): void {
  for (const [key, profile] of sortedEntries(annotations)) {
    if (!key.startsWith(APP_ARMOR)) continue;
    const name = key.slice(APP_ARMOR.length);
    if (![...allContainers(spec, at)].some(({ container }) => container.name === name)) {
      errors.push(invalid(at.key(key), name, 'container not found'));
    }
    const isKnown = ['', 'runtime/default', 'unconfined'].includes(profile) || profile.startsWith(LOCALHOST);
    if (!isKnown) {
      const why = `invalid AppArmor profile name: ${JSON.stringify(profile)}`;
      errors.push(invalid(at.key(key), profile, why));
    }
  }
}

/** Some annotations are settled when the pod is made. */
export function checkAnnotationUpdates(
  next: Annotations = {},
  old: Annotations = {},
  at: FieldPath,
  errors: Errors,
): void {
  for (const [key, value] of sortedEntries(old)) {
    if (next[key] === value) continue;
    if (key.startsWith(APP_ARMOR)) {
      errors.push(fieldForbidden(at.key(key), 'may not remove or update AppArmor annotations'));
    }
    if (key === MIRROR_POD) {
      errors.push(fieldForbidden(at.key(key), 'may not remove or update mirror pod annotation'));
    }
  }
  for (const [key] of sortedEntries(next)) {
    if (Object.hasOwn(old, key)) continue;
    if (key.startsWith(APP_ARMOR)) {
      errors.push(fieldForbidden(at.key(key), 'may not add AppArmor annotations'));
    }
    if (key === MIRROR_POD) errors.push(fieldForbidden(at.key(key), 'may not add mirror pod annotation'));
  }
}

interface Profile {
  readonly type: string;
  readonly localhostProfile?: string;
}

/** Where a profile is named by annotation and by field, both must say the same. */
export function checkProfilesAgree(
  annotations: Annotations | undefined,
  spec: coreV1.PodSpec,
  at: FieldPath,
  errors: Errors,
): void {
  if (annotations === undefined) return;
  const context = spec.securityContext;
  const ofPod = annotations[SECCOMP_POD];
  if (ofPod !== undefined && context?.seccompProfile !== undefined) {
    checkAgrees(
      'seccomp',
      ofPod,
      context.seccompProfile,
      at.child('securityContext', 'seccompProfile'),
      errors,
    );
  }
  const containers = [...allContainers(spec, at)];
  for (const { container, path } of containers) {
    const profile = container.securityContext?.seccompProfile;
    const text = annotations[`${SECCOMP_CONTAINER}${container.name}`];
    if (profile === undefined || text === undefined) continue;
    checkAgrees('seccomp', text, profile, path.child('securityContext', 'seccompProfile'), errors);
  }
  if (spec.os?.name === 'windows') return;
  for (const { container, path } of containers) {
    const profile = container.securityContext?.appArmorProfile ?? context?.appArmorProfile;
    const text = annotations[`${APP_ARMOR}${container.name}`];
    if (profile === undefined || text === undefined) continue;
    checkAgrees('apparmor', text, profile, path.child('securityContext', 'appArmorProfile'), errors);
  }
}

function checkAgrees(
  what: 'seccomp' | 'apparmor',
  text: string,
  { type, localhostProfile }: Profile,
  at: FieldPath,
  errors: Errors,
): void {
  const runtime = what === 'seccomp' ? ['runtime/default', 'docker/default'] : ['runtime/default'];
  const agrees =
    (type === 'Unconfined' && text === 'unconfined') ||
    (type === 'RuntimeDefault' && runtime.includes(text)) ||
    (type === 'Localhost' && text.startsWith(LOCALHOST));
  if (!['Unconfined', 'RuntimeDefault', 'Localhost'].includes(type)) return;
  if (!agrees) {
    errors.push(fieldForbidden(at.child('type'), `${what} type in annotation and field must match`));
  } else if (type === 'Localhost' && text.slice(LOCALHOST.length) !== localhostProfile) {
    const why = `${what} profile in annotation and field must match`;
    errors.push(fieldForbidden(at.child('localhostProfile'), why));
  }
}
