/** What a kubelet or a scheduler may write into a pod's status. */
import { FieldPath, duplicate, type FieldError, fieldForbidden, invalid } from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { checkImmutable, type Errors } from '../../field-rules.ts';
import { checkLegacyIp, isDualStack } from '../../ip-rules.ts';
import { checkDns1123Subdomain, checkQualifiedName } from '../../metadata-rules.ts';
import { checkAnnotationUpdates, checkPodAnnotations } from './annotations.ts';
import { checkId } from './security.ts';

type Pod = coreV1.Pod;
type PodSpec = coreV1.PodSpec;

const statusPath = new FieldPath('status');
const annotationsPath = new FieldPath('metadata.annotations');

export function validatePodStatusUpdate(pod: Pod, old: Pod): readonly FieldError[] {
  const errors: Errors = [];
  const { status, spec } = pod;
  checkAnnotationUpdates(pod.metadata.annotations, old.metadata.annotations, annotationsPath, errors);
  checkPodAnnotations(pod.metadata.annotations, spec, annotationsPath, errors);
  checkConditions(status.conditions ?? [], statusPath.child('conditions'), errors);
  checkNomination(pod, old, errors);
  checkImmutable(status.qosClass, old.status.qosClass, statusPath.child('qosClass'), errors);
  for (const [field, containers] of [
    ['containerStatuses', old.spec.containers],
    ['initContainerStatuses', old.spec.initContainers ?? []],
    ['ephemeralContainerStatuses', undefined],
  ] as const) {
    const path = statusPath.child(field);
    checkTransitions(status[field] ?? [], old.status[field] ?? [], containers, old.spec, path, errors);
  }
  checkClaimStatuses(pod, statusPath.child('resourceClaimStatuses'), errors);
  checkIps(status.podIPs, old.status.podIPs, statusPath.child('podIPs'), errors);
  checkHostIps(pod, old, errors);
  for (const field of ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const) {
    checkUsers(status[field] ?? [], statusPath.child(field), errors);
  }
  return errors;
}

const SYSTEM_CONDITIONS = new Set(['PodScheduled', 'Ready', 'Initialized']);

function checkConditions(conditions: readonly coreV1.PodCondition[], at: FieldPath, errors: Errors): void {
  for (const [i, { type, observedGeneration = 0 }] of conditions.entries()) {
    if (observedGeneration < 0) {
      const path = at.index(i).child('observedGeneration');
      errors.push(invalid(path, observedGeneration, 'must be a non-negative integer'));
    }
    if (!SYSTEM_CONDITIONS.has(type)) checkQualifiedName(type, at.index(i).child('Type'), errors);
  }
}

function checkNomination(pod: Pod, old: Pod, errors: Errors): void {
  const { nominatedNodeName = '', observedGeneration = 0 } = pod.status;
  const path = statusPath.child('nominatedNodeName');
  if (pod.spec.nodeName !== old.spec.nodeName) {
    errors.push(fieldForbidden(statusPath.child('nodeName'), 'may not be changed directly'));
  }
  if (nominatedNodeName !== '' && nominatedNodeName !== (old.status.nominatedNodeName ?? '')) {
    checkDns1123Subdomain(nominatedNodeName, path, errors);
    if ((old.spec.nodeName ?? '') !== '') {
      errors.push(fieldForbidden(path, 'may not be set on pods that are already bound to a node'));
    }
  }
  if (observedGeneration < 0) {
    const why = 'must be a non-negative integer';
    errors.push(invalid(statusPath.child('observedGeneration'), observedGeneration, why));
  }
}

/** What has ended stays ended, unless its restart policy says otherwise. `containers` undefined: no policy. */
function checkTransitions(
  next: readonly coreV1.ContainerStatus[],
  old: readonly coreV1.ContainerStatus[],
  containers: readonly coreV1.Container[] | undefined,
  spec: PodSpec,
  at: FieldPath,
  errors: Errors,
): void {
  if (containers !== undefined && mayRestartAll(spec)) return;
  for (const [i, { name, state }] of old.entries()) {
    if (state?.terminated === undefined) continue;
    const current = next.find((status) => status.name === name);
    if (current === undefined || current.state?.terminated !== undefined) continue;
    const container = containers?.find((candidate) => candidate.name === name);
    if (container !== undefined && restarts(container, spec, state.terminated.exitCode)) continue;
    const why = 'may not be transitioned to non-terminated state';
    errors.push(fieldForbidden(at.index(i).child('state'), why));
  }
}

const mayRestartAll = (spec: PodSpec): boolean =>
  [...spec.containers, ...(spec.initContainers ?? [])].some(({ restartPolicyRules = [] }) =>
    restartPolicyRules.some(({ action }) => action === 'RestartAllContainers'),
  );

/** Rules of the container first, then its policy, then that of the pod. */
function restarts(container: coreV1.Container, spec: PodSpec, exitCode: number): boolean {
  if (container.restartPolicy !== undefined) {
    const rule = container.restartPolicyRules?.find(({ exitCodes }) => {
      if (exitCodes === undefined) return false;
      return (exitCodes.values?.includes(exitCode) === true) === (exitCodes.operator === 'In');
    });
    if (rule !== undefined) return true;
  }
  switch (container.restartPolicy ?? spec.restartPolicy) {
    case 'OnFailure':
      return exitCode !== 0;
    case 'Never':
      return false;
    default:
      return true;
  }
}

function checkClaimStatuses(pod: Pod, at: FieldPath, errors: Errors): void {
  const names = new Set<string>();
  for (const [i, { name, resourceClaimName }] of (pod.status.resourceClaimStatuses ?? []).entries()) {
    const path = at.index(i);
    if (pod.spec.resourceClaims?.some((claim) => claim.name === name) !== true) {
      const why = 'must match the name of an entry in `spec.resourceClaims`';
      errors.push(invalid(path.child('name'), name, why));
    }
    if (names.has(name)) errors.push(duplicate(path.child('name'), name));
    names.add(name);
    if (resourceClaimName !== undefined) {
      checkDns1123Subdomain(resourceClaimName, path.child('resourceClaimName'), errors);
    }
  }
}

interface Ip {
  readonly ip?: string;
}

function checkIps(next: readonly Ip[] = [], old: readonly Ip[] = [], at: FieldPath, errors: Errors): void {
  const known = old.map(({ ip = '' }) => ip);
  const texts = next.map(({ ip = '' }) => ip);
  for (const [i, ip] of texts.entries()) checkLegacyIp(ip, at.index(i), errors, known);
  if (texts.length > 1 && (texts.length > 2 || !isDualStack(texts))) {
    const printed = texts.map((ip) => ({ IP: ip }));
    errors.push(invalid(at, printed, 'may specify no more than one IP for each IP family'));
  }
}

function checkHostIps(pod: Pod, old: Pod, errors: Errors): void {
  const { hostIP = '', hostIPs = [] } = pod.status;
  const [first] = hostIPs;
  if (first === undefined) return;
  const path = statusPath.child('hostIPs');
  if (first.ip !== hostIP) {
    errors.push(invalid(path.index(0).child('ip'), first.ip, 'must be equal to `hostIP`'));
  }
  checkIps(hostIPs, old.status.hostIPs, path, errors);
}

function checkUsers(statuses: readonly coreV1.ContainerStatus[], at: FieldPath, errors: Errors): void {
  for (const [i, { user }] of statuses.entries()) {
    if (user?.linux === undefined) continue;
    const path = at.index(i).child('user', 'linux');
    checkId(user.linux.uid, path.child('uid'), errors);
    checkId(user.linux.gid, path.child('gid'), errors);
    for (const [j, group] of (user.linux.supplementalGroups ?? []).entries()) {
      checkId(group, path.child('supplementalGroups').index(j), errors);
    }
  }
}
