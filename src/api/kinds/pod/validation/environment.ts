/** Environment variables of a container, one by one and by the map. */
import {
  type FieldPath,
  invalid,
  validateConfigMapKey,
  validateDns1123Subdomain,
  validateEnvVarName,
} from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { addInvalid, checkPresent, type Errors } from '../../field-rules.ts';
import { checkDns1123Label } from '../../metadata-rules.ts';
import { checkFieldSelector, checkResourceFieldSelector } from './downward-fields.ts';
import { checkNoBacksteps } from './volume-files.ts';

const ENVIRONMENT_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

export function checkEnvironment(
  variables: readonly coreV1.EnvVar[] | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  if (variables === undefined) return;
  for (const [i, variable] of variables.entries()) {
    const path = at.index(i);
    if (checkPresent(variable.name, path.child('name'), errors)) {
      addInvalid(validateEnvVarName(variable.name), path.child('name'), variable.name, errors);
    }
    checkValueFrom(variable, path.child('valueFrom'), errors);
  }
}

function checkValueFrom({ value = '', valueFrom }: coreV1.EnvVar, at: FieldPath, errors: Errors): void {
  if (valueFrom === undefined) return;
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom;
  if (fieldRef !== undefined) checkFieldSelector(fieldRef, ENVIRONMENT_FIELDS, at.child('fieldRef'), errors);
  if (resourceFieldRef !== undefined) {
    checkResourceFieldSelector(resourceFieldRef, false, at.child('resourceFieldRef'), errors);
  }
  if (configMapKeyRef !== undefined) checkKeySelector(configMapKeyRef, at.child('configMapKeyRef'), errors);
  if (secretKeyRef !== undefined) checkKeySelector(secretKeyRef, at.child('secretKeyRef'), errors);
  if (fileKeyRef !== undefined) checkFileKey(fileKeyRef, at.child('fileKeyRef'), errors);
  const sources = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef];
  const given = sources.filter((source) => source !== undefined).length;
  if (given === 0) {
    const list = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
    errors.push(invalid(at, '', `must specify one of: ${list}`));
  } else if (value !== '') {
    errors.push(invalid(at, '', 'may not be specified when `value` is not empty'));
  } else if (given > 1) {
    errors.push(invalid(at, '', 'may not have more than one field specified at a time'));
  }
}

function checkKeySelector(
  { name = '', key }: coreV1.ConfigMapKeySelector | coreV1.SecretKeySelector,
  at: FieldPath,
  errors: Errors,
): void {
  addInvalid(validateDns1123Subdomain(name), at.child('name'), name, errors);
  if (checkPresent(key, at.child('key'), errors)) {
    addInvalid(validateConfigMapKey(key), at.child('key'), key, errors);
  }
}

function checkFileKey(
  { key, volumeName, path }: coreV1.FileKeySelector,
  at: FieldPath,
  errors: Errors,
): void {
  if (checkPresent(key, at.child('key'), errors)) {
    addInvalid(validateEnvVarName(key), at.child('key'), key, errors);
  }
  if (checkPresent(volumeName, at.child('volumeName'), errors)) {
    checkDns1123Label(volumeName, at.child('volumeName'), errors);
  }
  if (checkPresent(path, at.child('path'), errors)) checkNoBacksteps(path, at.child('path'), errors);
}

export function checkEnvironmentSources(
  sources: readonly coreV1.EnvFromSource[] | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  if (sources === undefined) return;
  for (const [i, source] of sources.entries()) {
    const path = at.index(i);
    const { prefix = '', configMapRef, secretRef } = source;
    if (prefix !== '') addInvalid(validateEnvVarName(prefix), path.child('prefix'), prefix, errors);
    for (const [field, reference] of [
      ['configMapRef', configMapRef],
      ['secretRef', secretRef],
    ] as const) {
      if (reference === undefined) continue;
      const { name = '' } = reference;
      const namePath = path.child(field, 'name');
      if (!checkPresent(name, namePath, errors)) continue;
      // As for a prefix: a trailing dash is let through.
      addInvalid(validateDns1123Subdomain(name.replace(/-$/, 'a')), namePath, name, errors);
    }
    if (configMapRef === undefined && secretRef === undefined) {
      errors.push(invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`'));
    } else if (configMapRef !== undefined && secretRef !== undefined) {
      errors.push(invalid(at, '', 'may not have more than one field specified at a time'));
    }
  }
}
