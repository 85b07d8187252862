/** PersistentVolumeClaim. */
import {
  deepEqual,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  parseQuantity,
  required,
  validateQualifiedName,
} from '#machinery';
import type { coreV1 } from '../../types/index.ts';
import {
  addInvalid,
  checkImmutable,
  collect,
  type Errors,
  FIELD_IS_IMMUTABLE,
  sortedEntries,
} from '../field-rules.ts';
import { checkBasicQuantity, checkResourceQuantity, isNativeResource } from '../resource-rules.ts';
import { specDiff } from '../spec-diff.ts';
import { checkClaimSpec } from './claim-spec.ts';

type Claim = coreV1.PersistentVolumeClaim;
type Spec = coreV1.PersistentVolumeClaimSpec;

const specPath = new FieldPath('spec');
const OLD_CLASS = 'volume.beta.kubernetes.io/storage-class';

export const validateClaim = ({ spec }: Claim): readonly FieldError[] =>
  collect((errors) => checkClaimSpec(spec, specPath, errors));

const hasGroup = ({ dataSource, dataSourceRef }: Spec): boolean =>
  dataSource?.apiGroup !== undefined || dataSourceRef?.apiGroup !== undefined;

export const validateClaimUpdate = (claim: Claim, old: Claim): readonly FieldError[] =>
  collect((errors) => {
    checkClaimSpec(claim.spec, specPath, errors, { allowInvalidApiGroup: hasGroup(old.spec) });
    const unchanged = withoutAllowedChanges(claim, old, errors);
    if (!deepEqual(unchanged, old.spec)) {
      const head =
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
      errors.push(fieldForbidden(specPath, `${head}\n${specDiff(old.spec, unchanged)}`));
    }
    checkSize(claim, old, errors);
    // Upstream leaves out `spec` here.
    checkImmutable(claim.spec.volumeMode, old.spec.volumeMode, new FieldPath('volumeMode'), errors);
    checkAttributesClass(claim, old, errors);
  });

/** The spec with everything that may change taken from `old`: what differs then may not. */
function withoutAllowedChanges({ metadata, spec, status }: Claim, old: Claim, errors: Errors): Spec {
  const oldAnnotation = old.metadata.annotations?.[OLD_CLASS];
  const annotation = metadata.annotations?.[OLD_CLASS];
  const { storageClassName } = spec;
  const moves =
    oldAnnotation !== undefined &&
    old.spec.storageClassName === undefined &&
    storageClassName === oldAnnotation &&
    (annotation === undefined || annotation === oldAnnotation);
  if (!moves && annotation !== oldAnnotation) {
    const path = new FieldPath('metadata').child('annotations', OLD_CLASS);
    errors.push(invalid(path, annotation ?? '', FIELD_IS_IMMUTABLE));
  }
  const isFirstClass =
    storageClassName !== undefined &&
    old.spec.storageClassName === undefined &&
    (oldAnnotation === undefined || storageClassName === oldAnnotation);
  const isBound = status.phase === 'Bound';
  const { requests } = spec.resources ?? {};
  const munged: { -readonly [K in keyof Spec]: unknown } = { ...spec };
  if (isFirstClass || moves) munged['storageClassName'] = undefined;
  if ((old.spec.volumeName ?? '') === '') munged['volumeName'] = old.spec.volumeName;
  if (isBound && requests !== undefined) {
    const storage = old.spec.resources?.requests?.['storage'];
    munged['resources'] = { ...spec.resources, requests: { ...requests, storage } };
  }
  if (isBound) munged['volumeAttributesClassName'] = old.spec.volumeAttributesClassName;
  // Sound: the same fields as before, each of its own type; undefined ones count as absent.
  return munged as unknown as Spec;
}

const storageOf = (list: Readonly<Record<string, string>> | undefined) =>
  parseQuantity(list?.['storage'] ?? '0');

/** A claim that failed to grow may be made smaller again, but never as small as it is. */
function checkSize(claim: Claim, old: Claim, errors: Errors): void {
  const next = storageOf(claim.spec.resources?.requests);
  if (next.compare(storageOf(old.spec.resources?.requests)) >= 0) return;
  if (next.compare(storageOf(old.status.capacity)) > 0) return;
  const path = specPath.child('resources', 'requests', 'storage');
  errors.push(fieldForbidden(path, 'field can not be less than status.capacity'));
}

function checkAttributesClass(claim: Claim, old: Claim, errors: Errors): void {
  const next = claim.spec.volumeAttributesClassName;
  if (next === old.spec.volumeAttributesClassName) return;
  if (old.status.currentVolumeAttributesClassName === undefined || (next !== undefined && next !== ''))
    return;
  const what = next === undefined ? 'nil' : 'empty string';
  const why = `update to ${what} is forbidden when status.currentVolumeAttributesClassName is not nil`;
  errors.push(fieldForbidden(specPath.child('volumeAttributesClassName'), why));
}

const RESIZE_STATES = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
].toSorted();

export const validateClaimStatus = ({ spec, status }: Claim): readonly FieldError[] =>
  collect((errors) => {
    if ((spec.accessModes ?? []).length === 0) errors.push(required('Spec.accessModes'));
    const path = new FieldPath('status');
    for (const [name, quantity] of sortedEntries(status.capacity)) {
      checkBasicQuantity(quantity, path.child('capacity').key(name), errors);
    }
    const states: Readonly<Record<string, string>> = status.allocatedResourceStatuses ?? {};
    for (const [name, state] of sortedEntries(states)) {
      const at = path.child('allocatedResourceStatuses');
      checkResourceKey(name, at, errors);
      if (!RESIZE_STATES.includes(state)) errors.push(notSupported(at, name, RESIZE_STATES));
    }
    for (const [name, quantity] of sortedEntries(status.allocatedResources)) {
      const at = path.child('allocatedResources');
      const before = errors.length;
      checkResourceKey(name, at, errors);
      if (errors.length > before) continue;
      checkBasicQuantity(quantity, at.key(name), errors);
      if (errors.length === before) checkResourceQuantity('storage', quantity, at.key(name), errors);
    }
  });

function checkResourceKey(name: string, at: FieldPath, errors: Errors): void {
  const messages = validateQualifiedName(name);
  addInvalid(messages, at, name, errors);
  if (messages.length > 0 || !isNativeResource(name) || name === 'storage') return;
  errors.push(notSupported(at, name, ['storage']));
}
