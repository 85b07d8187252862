/** Deployments, ReplicaSets, ReplicationControllers, StatefulSets and DaemonSets: specs. */
import {
  compileLabelSelector,
  deepEqual,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  type LabelSelectorObject,
  notSupported,
  required,
} from '#machinery';
import type { appsV1, coreV1 } from '../../types/index.ts';
import {
  checkImmutable,
  checkIntOrPercent,
  checkNonNegative,
  checkNotAboveHundredPercent,
  collect,
  type Errors,
  intOrPercentNumber,
  sortedMap,
} from '../field-rules.ts';
import { checkDns1123Label, checkLabelSelector, isEmptySelector } from '../metadata-rules.ts';
import { checkAlwaysRestarts } from '../pod/validation/pod-spec.ts';
import { checkPodTemplate } from '../pod/validation/template.ts';
import { checkClaimSpec } from '../storage/claim-spec.ts';

type Template = coreV1.PodTemplateSpec;

const specPath = new FieldPath('spec');

/** A selector nobody gave is printed as null. */
type MaybeSelector = LabelSelectorObject | null | undefined;

/** Undefined: the selector cannot be read. */
export function selects(
  selector: MaybeSelector,
  labels: Readonly<Record<string, string>> | undefined,
): boolean | undefined {
  try {
    return compileLabelSelector(selector ?? undefined)(labels);
  } catch {
    return undefined;
  }
}

/** A selector that must be there, must select something, and must select what the template makes. */
function checkRequiredSelector(selector: MaybeSelector, noun: string, at: FieldPath, errors: Errors): void {
  if (selector === undefined || selector === null) {
    errors.push(required(at));
    return;
  }
  checkLabelSelector(selector, at, errors);
  if (isEmptySelector(selector)) {
    errors.push(invalid(at, selector, `empty selector is invalid for ${noun}`));
  }
}

export function checkSelected(
  selector: MaybeSelector,
  template: Template,
  at: FieldPath,
  errors: Errors,
): void {
  if (selects(selector, template.metadata?.labels) !== false) return;
  const why = '`selector` does not match template `labels`';
  errors.push(invalid(at.child('metadata', 'labels'), sortedMap(template.metadata?.labels), why));
}

function checkNoDeadline(template: Template, noun: string, at: FieldPath, errors: Errors): void {
  if (template.spec?.activeDeadlineSeconds === undefined) return;
  const why = `activeDeadlineSeconds in ${noun} is not Supported`;
  errors.push(fieldForbidden(at.child('spec', 'activeDeadlineSeconds'), why));
}

interface Replicated {
  readonly selector?: LabelSelectorObject | null;
  readonly template?: Template;
}

/** What Deployments and ReplicaSets have in common. */
function checkReplicated(spec: Replicated, old: Replicated | undefined, errors: Errors): void {
  const at = specPath.child('selector');
  const template = spec.template ?? {};
  const templatePath = specPath.child('template');
  checkRequiredSelector(spec.selector, 'deployment', at, errors);
  if (selects(spec.selector, template.metadata?.labels) === undefined) {
    errors.push(invalid(at, spec.selector, 'invalid label selector'));
    return;
  }
  checkSelected(spec.selector, template, templatePath, errors);
  checkPodTemplate(template, old?.template, templatePath, errors);
  checkAlwaysRestarts(template.spec, templatePath.child('spec'), errors);
  checkNoDeadline(template, 'ReplicaSet', templatePath, errors);
}

export const validateDeployment = (
  { spec }: appsV1.Deployment,
  old?: appsV1.Deployment,
): readonly FieldError[] =>
  collect((errors) => {
    checkNonNegative(spec.replicas, specPath.child('replicas'), errors);
    checkReplicated(spec, old?.spec, errors);
    checkDeploymentStrategy(spec.strategy, specPath.child('strategy'), errors);
    checkNonNegative(spec.minReadySeconds, specPath.child('minReadySeconds'), errors);
    checkNonNegative(spec.revisionHistoryLimit, specPath.child('revisionHistoryLimit'), errors);
    const deadline = spec.progressDeadlineSeconds;
    if (deadline !== undefined) {
      const path = specPath.child('progressDeadlineSeconds');
      checkNonNegative(deadline, path, errors);
      if (deadline <= (spec.minReadySeconds ?? 0)) {
        errors.push(invalid(path, deadline, 'must be greater than minReadySeconds'));
      }
    }
    if (old !== undefined) {
      checkImmutable(spec.selector, old.spec.selector, specPath.child('selector'), errors);
    }
  });

function checkDeploymentStrategy(
  strategy: appsV1.DeploymentStrategy | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  const type: string = strategy?.type ?? '';
  const rolling = strategy?.rollingUpdate;
  const path = at.child('rollingUpdate');
  if (type === 'Recreate') {
    if (rolling !== undefined) {
      errors.push(fieldForbidden(path, "may not be specified when strategy `type` is 'Recreate'"));
    }
  } else if (type === 'RollingUpdate') {
    if (rolling === undefined) errors.push(required(path, 'this should be defaulted and never be nil'));
    else checkRollingDeployment(rolling, path, errors);
  } else errors.push(notSupported(at, internalStrategy(type, rolling), ['Recreate', 'RollingUpdate']));
}

/** As upstream's internal type prints it. */
const internalStrategy = (
  type: string,
  rolling: { readonly maxUnavailable?: number | string; readonly maxSurge?: number | string } | undefined,
): object => ({
  Type: type,
  RollingUpdate:
    rolling === undefined
      ? null
      : { MaxUnavailable: rolling.maxUnavailable ?? 0, MaxSurge: rolling.maxSurge ?? 0 },
});

function checkRollingDeployment(
  { maxUnavailable = 0, maxSurge = 0 }: appsV1.RollingUpdateDeployment,
  at: FieldPath,
  errors: Errors,
): void {
  const path = at.child('maxUnavailable');
  checkIntOrPercent(maxUnavailable, path, errors);
  checkIntOrPercent(maxSurge, at.child('maxSurge'), errors);
  if (intOrPercentNumber(maxUnavailable) === 0 && intOrPercentNumber(maxSurge) === 0) {
    errors.push(invalid(path, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
  checkNotAboveHundredPercent(maxUnavailable, path, errors);
}

export const validateReplicaSet = (
  { spec }: appsV1.ReplicaSet,
  old?: appsV1.ReplicaSet,
): readonly FieldError[] =>
  collect((errors) => {
    checkNonNegative(spec.replicas, specPath.child('replicas'), errors);
    checkNonNegative(spec.minReadySeconds, specPath.child('minReadySeconds'), errors);
    checkReplicated(spec, old?.spec, errors);
    if (old !== undefined) {
      checkImmutable(spec.selector, old.spec.selector, specPath.child('selector'), errors);
    }
  });

export const validateReplicationController = (
  { spec }: coreV1.ReplicationController,
  old?: coreV1.ReplicationController,
): readonly FieldError[] =>
  collect((errors) => {
    const { selector = {}, template, replicas } = spec;
    const at = specPath.child('template');
    checkNonNegative(spec.minReadySeconds, specPath.child('minReadySeconds'), errors);
    const isEmpty = Object.keys(selector).length === 0;
    if (isEmpty) errors.push(required(specPath.child('selector')));
    if (replicas === undefined) errors.push(required(specPath.child('replicas')));
    else checkNonNegative(replicas, specPath.child('replicas'), errors);
    if (template === undefined) {
      errors.push(required(at));
      return;
    }
    if (!isEmpty) checkSelected({ matchLabels: selector }, template, at, errors);
    checkPodTemplate(template, old?.spec.template, at, errors);
    checkAlwaysRestarts(template.spec, at.child('spec'), errors);
    checkNoDeadline(template, 'ReplicationController', at, errors);
  });

export const validateDaemonSet = (
  { spec }: appsV1.DaemonSet,
  old?: appsV1.DaemonSet,
): readonly FieldError[] =>
  collect((errors) => {
    const { template } = spec;
    const given: MaybeSelector = spec.selector;
    const selector = given ?? undefined;
    const at = specPath.child('template');
    const selectorPath = specPath.child('selector');
    if (old !== undefined) checkImmutable(selector, old.spec.selector, selectorPath, errors);
    checkLabelSelector(selector, selectorPath, errors);
    checkSelected(selector, template, at, errors);
    if (selector !== undefined && isEmptySelector(selector)) {
      errors.push(invalid(selectorPath, selector, 'empty selector is invalid for daemonset'));
    }
    checkPodTemplate(template, old?.spec.template, at, errors);
    checkAlwaysRestarts(template.spec, at.child('spec'), errors);
    checkNoDeadline(template, 'DaemonSet', at, errors);
    checkNonNegative(spec.minReadySeconds, specPath.child('minReadySeconds'), errors);
    checkDaemonSetStrategy(spec.updateStrategy, specPath.child('updateStrategy'), errors);
    checkNonNegative(spec.revisionHistoryLimit, specPath.child('revisionHistoryLimit'), errors);
  });

function checkDaemonSetStrategy(
  strategy: appsV1.DaemonSetUpdateStrategy | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  const type: string = strategy?.type ?? '';
  const rolling = strategy?.rollingUpdate;
  if (type === 'OnDelete') return;
  if (type !== 'RollingUpdate') {
    errors.push(notSupported(at, internalStrategy(type, rolling), ['RollingUpdate', 'OnDelete']));
    return;
  }
  const path = at.child('rollingUpdate');
  if (rolling === undefined) {
    errors.push(required(path));
    return;
  }
  const { maxUnavailable = 0, maxSurge = 0 } = rolling;
  checkIntOrPercent(maxUnavailable, path.child('maxUnavailable'), errors);
  checkIntOrPercent(maxSurge, path.child('maxSurge'), errors);
  checkNotAboveHundredPercent(maxUnavailable, path.child('maxUnavailable'), errors);
  checkNotAboveHundredPercent(maxSurge, path.child('maxSurge'), errors);
  const hasUnavailable = intOrPercentNumber(maxUnavailable) !== 0;
  const hasSurge = intOrPercentNumber(maxSurge) !== 0;
  if (hasUnavailable && hasSurge) {
    const why = 'may not be set when maxUnavailable is non-zero';
    errors.push(invalid(path.child('maxSurge'), maxSurge, why));
  } else if (!hasUnavailable && !hasSurge) {
    errors.push(required(path.child('maxUnavailable'), 'cannot be 0 when maxSurge is 0'));
  }
}

const STATEFUL_SET_MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

export const validateStatefulSet = (object: appsV1.StatefulSet): readonly FieldError[] =>
  collect((errors) => checkStatefulSet(object.spec, undefined, true, errors));

export const validateStatefulSetUpdate = (
  { spec }: appsV1.StatefulSet,
  { spec: old }: appsV1.StatefulSet,
): readonly FieldError[] =>
  collect((errors) => {
    // A template that was let in before its rules were may stay as it is.
    const wasValid = collect((found) => checkStatefulSet(old, undefined, true, found, true)).length === 0;
    checkStatefulSet(spec, old, wasValid, errors, true);
    const munged: Record<string, unknown> = { ...spec };
    for (const field of STATEFUL_SET_MUTABLE) munged[field] = old[field];
    if (deepEqual(munged, old)) return;
    const names = STATEFUL_SET_MUTABLE.map((field) => `'${field}'`);
    const list = `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
    const why = `updates to statefulset spec for fields other than ${list} are forbidden`;
    errors.push(fieldForbidden(specPath, why));
  });

function checkStatefulSet(
  spec: appsV1.StatefulSetSpec,
  old: appsV1.StatefulSetSpec | undefined,
  checksTemplate: boolean,
  errors: Errors,
  isUpdate = false,
): void {
  checkStatefulSetPolicies(spec, errors);
  if (!isUpdate) {
    for (const [i, claim] of (spec.volumeClaimTemplates ?? []).entries()) {
      checkClaimSpec(claim.spec, specPath.child('volumeClaimTemplates').index(i).child('spec'), errors);
    }
  }
  checkNonNegative(spec.replicas, specPath.child('replicas'), errors);
  checkNonNegative(spec.minReadySeconds, specPath.child('minReadySeconds'), errors);
  checkNonNegative(spec.ordinals?.start, specPath.child('ordinals.start'), errors);
  const { serviceName } = spec;
  if (!isUpdate && serviceName !== '') {
    checkDns1123Label(serviceName, specPath.child('serviceName'), errors);
  }
  const selectorPath = specPath.child('selector');
  const at = specPath.child('template');
  checkRequiredSelector(spec.selector, 'statefulset', selectorPath, errors);
  if (selects(spec.selector, spec.template?.metadata?.labels) === undefined) {
    errors.push(invalid(selectorPath, spec.selector, ''));
  } else {
    checkSelected(spec.selector, spec.template, at, errors);
    if (checksTemplate) checkPodTemplate(podTemplateOf(spec), old?.template, at, errors);
  }
  checkAlwaysRestarts(spec.template.spec, at.child('spec'), errors);
  checkNoDeadline(spec.template, 'StatefulSet', at, errors);
}

/** As the pods will be: with a volume for each claim, and with names the controller gives. */
function podTemplateOf(spec: appsV1.StatefulSetSpec): Template {
  const { template, volumeClaimTemplates = [] } = spec;
  if (template.spec === undefined) return template;
  const { hostname: _hostname, subdomain: _subdomain, ...podSpec } = template.spec;
  if (volumeClaimTemplates.length === 0) return { ...template, spec: podSpec };
  const names = new Set(volumeClaimTemplates.map((claim) => claim.metadata.name));
  const volumes = [
    ...[...names].map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
    ...(podSpec.volumes ?? []).filter((volume) => !names.has(volume.name)),
  ];
  return { ...template, spec: { ...podSpec, volumes } };
}

function checkStatefulSetPolicies(spec: appsV1.StatefulSetSpec, errors: Errors): void {
  const management: string = spec.podManagementPolicy ?? '';
  const managementPath = specPath.child('podManagementPolicy');
  if (management === '') errors.push(required(managementPath));
  else if (management !== 'OrderedReady' && management !== 'Parallel') {
    errors.push(invalid(managementPath, management, "must be 'OrderedReady' or 'Parallel'"));
  }
  const { updateStrategy } = spec;
  const type: string = updateStrategy?.type ?? '';
  const rolling = updateStrategy?.rollingUpdate;
  const path = specPath.child('updateStrategy');
  const printed =
    rolling === undefined
      ? null
      : { Partition: rolling.partition ?? 0, MaxUnavailable: rolling.maxUnavailable ?? null };
  if (type === '') errors.push(required(path));
  else if (type === 'OnDelete') {
    if (rolling !== undefined) {
      const why = "only allowed for updateStrategy 'RollingUpdate'";
      errors.push(invalid(path.child('rollingUpdate'), printed, why));
    }
  } else if (type === 'RollingUpdate') {
    if (rolling !== undefined) checkRollingStatefulSet(rolling, path.child('rollingUpdate'), errors);
  } else {
    const value = { Type: type, RollingUpdate: printed };
    errors.push(invalid(path, value, "must be 'RollingUpdate' or 'OnDelete'"));
  }
  const retention = spec.persistentVolumeClaimRetentionPolicy;
  const retentionPath = specPath.child('persistentVolumeClaimRetentionPolicy');
  for (const field of ['whenDeleted', 'whenScaled'] as const) {
    const policy: string | undefined = retention?.[field];
    if (retention === undefined || policy === 'Retain' || policy === 'Delete') continue;
    errors.push(notSupported(retentionPath.child(field), policy ?? '', ['Retain', 'Delete']));
  }
}

function checkRollingStatefulSet(
  { partition, maxUnavailable }: appsV1.RollingUpdateStatefulSetStrategy,
  at: FieldPath,
  errors: Errors,
): void {
  checkNonNegative(partition, at.child('partition'), errors);
  if (maxUnavailable === undefined) return;
  const path = at.child('maxUnavailable');
  checkIntOrPercent(maxUnavailable, path, errors);
  if (intOrPercentNumber(maxUnavailable) === 0) errors.push(invalid(path, maxUnavailable, 'cannot be 0'));
  checkNotAboveHundredPercent(maxUnavailable, path, errors);
}
