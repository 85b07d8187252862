/** What a claim asks for, wherever it stands: a PersistentVolumeClaim, a StatefulSet's or a pod's claim template. */
import {
  type FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  required,
  validateDns1123Label,
  validateDns1123Subdomain,
} from '#machinery';
import type { coreV1 } from '../../types/index.ts';
import { addInvalid, checkPresent, checkSupported, type Errors } from '../field-rules.ts';
import { checkLabelSelector } from '../metadata-rules.ts';
import { checkPositiveQuantity } from '../resource-rules.ts';

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const VOLUME_MODES = ['Block', 'Filesystem'];

export function checkAccessModes(modes: readonly string[], at: FieldPath, errors: Errors): void {
  for (const mode of modes) {
    if (!ACCESS_MODES.includes(mode)) errors.push(notSupported(at, mode, ACCESS_MODES));
  }
  const others = modes.some((mode) => mode !== 'ReadWriteOncePod' && ACCESS_MODES.includes(mode));
  if (others && modes.includes('ReadWriteOncePod')) {
    errors.push(fieldForbidden(at, 'may not use ReadWriteOncePod with other access modes'));
  }
}

export interface ClaimSpecOptions {
  /** An object that has a broken group in its data source may keep it. */
  readonly allowInvalidApiGroup?: boolean;
}

export function checkClaimSpec(
  spec: coreV1.PersistentVolumeClaimSpec,
  at: FieldPath,
  errors: Errors,
  { allowInvalidApiGroup = false }: ClaimSpecOptions = {},
): void {
  const { accessModes = [], storageClassName = '', volumeAttributesClassName = '' } = spec;
  if (accessModes.length === 0) {
    errors.push(required(at.child('accessModes'), 'at least 1 access mode is required'));
  }
  checkLabelSelector(spec.selector, at.child('selector'), errors);
  checkAccessModes(accessModes, at.child('accessModes'), errors);
  const storage = spec.resources?.requests?.['storage'];
  const storagePath = at.child('resources').key('storage');
  if (storage === undefined) errors.push(required(storagePath));
  else checkPositiveQuantity(storage, storagePath, errors);
  if (storageClassName !== '') {
    addInvalid(
      validateDns1123Subdomain(storageClassName),
      at.child('storageClassName'),
      storageClassName,
      errors,
    );
  }
  checkSupported(spec.volumeMode, VOLUME_MODES, at.child('volumeMode'), errors);
  checkDataSources(spec, at, errors, allowInvalidApiGroup);
  if (volumeAttributesClassName !== '') {
    const path = at.child('volumeAttributesClassName');
    addInvalid(validateDns1123Subdomain(volumeAttributesClassName), path, volumeAttributesClassName, errors);
  }
}

interface DataSource {
  readonly apiGroup?: string | null;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

function checkDataSource(
  source: DataSource,
  at: FieldPath,
  errors: Errors,
  allowInvalidApiGroup: boolean,
): void {
  const { kind, name, namespace = '' } = source;
  const apiGroup = source.apiGroup ?? '';
  checkPresent(name, at.child('name'), errors);
  checkPresent(kind, at.child('kind'), errors);
  if (apiGroup === '' && kind !== 'PersistentVolumeClaim') {
    errors.push(invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  }
  if (apiGroup !== '' && !allowInvalidApiGroup) {
    addInvalid(validateDns1123Subdomain(apiGroup), at.child('apiGroup'), apiGroup, errors);
  }
  if (namespace !== '') addInvalid(validateDns1123Label(namespace), at.child('namespace'), namespace, errors);
}

function checkDataSources(
  spec: coreV1.PersistentVolumeClaimSpec,
  at: FieldPath,
  errors: Errors,
  allowInvalidApiGroup: boolean,
): void {
  const { dataSource, dataSourceRef } = spec;
  if (dataSource !== undefined) {
    checkDataSource(dataSource, at.child('dataSource'), errors, allowInvalidApiGroup);
  }
  if (dataSourceRef !== undefined) {
    checkDataSource(dataSourceRef, at.child('dataSourceRef'), errors, allowInvalidApiGroup);
  }
  if (dataSource === undefined || dataSourceRef === undefined) return;
  // Upstream prints the path as the value, and a path has no fields to print.
  const blamed = {};
  if ((dataSourceRef.namespace ?? '') !== '') {
    errors.push(invalid(at, blamed, 'may not be specified when dataSourceRef.namespace is specified'));
  } else if (
    (dataSource.apiGroup ?? '') !== (dataSourceRef.apiGroup ?? '') ||
    dataSource.kind !== dataSourceRef.kind ||
    dataSource.name !== dataSourceRef.name
  ) {
    errors.push(invalid(at, blamed, 'must match dataSourceRef'));
  }
}
