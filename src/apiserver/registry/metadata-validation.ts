/** The rules that `metadata` of every kind obeys, in the words and order of apimachinery's `api/validation`. */
import type { KindBehaviour } from '#api';
import {
  deepEqual,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  type KubeObject,
  type ManagedFieldsEntry,
  type ObjectMetadata,
  type OwnerReference,
  parseApiVersion,
  required,
  tooLong,
  validateDns1035Label,
  validateDns1123Label,
  validateDns1123Subdomain,
  validateLabelValue,
  validateQualifiedName,
} from '#machinery';

const MAX_ANNOTATIONS_BYTES = 256 * 1024;
const MAX_SUBRESOURCE_BYTES = 256;
const MAX_MANAGER_BYTES = 128;
const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';
const root = new FieldPath('metadata');

export type NameRule = NonNullable<KindBehaviour['nameRule']>;

const nameRules: Readonly<Record<NameRule, (name: string) => readonly string[]>> = {
  'dns1123-subdomain': validateDns1123Subdomain,
  'dns1123-label': validateDns1123Label,
  'dns1035-label': validateDns1035Label,
  'path-segment': validatePathSegment,
  any: () => [],
};

export function validateMetadata(object: KubeObject, namespaced: boolean, rule: NameRule): FieldError[] {
  const { metadata } = object;
  const errors: FieldError[] = [];
  const checkName = nameRules[rule];
  if (metadata.generateName !== undefined && metadata.generateName !== '') {
    // A trailing dash is fine in a prefix: the suffix follows.
    const masked = rule.startsWith('dns') ? metadata.generateName.replace(/-$/, 'a') : metadata.generateName;
    for (const text of checkName(masked))
      errors.push(invalid(root.child('generateName'), metadata.generateName, text));
  }
  const { name = '' } = metadata;
  if (name === '') errors.push(required(root.child('name'), 'name or generateName is required'));
  else for (const text of checkName(name)) errors.push(invalid(root.child('name'), name, text));
  errors.push(...validateNamespace(metadata.namespace ?? '', namespaced));
  if ((metadata.generation ?? 0) < 0) {
    errors.push(invalid(root.child('generation'), metadata.generation, 'must be greater than or equal to 0'));
  }
  errors.push(...validateCommon(metadata), ...validateFinalizers(metadata.finalizers ?? []));
  errors.push(...validateManagedFields(metadata.managedFields ?? []));
  return errors;
}

export function validateMetadataUpdate(next: ObjectMetadata, old: ObjectMetadata): FieldError[] {
  const errors: FieldError[] = [];
  if (old.deletionTimestamp !== undefined) {
    const added = (next.finalizers ?? []).filter((f) => old.finalizers?.includes(f) !== true).sort();
    if (added.length > 0) {
      const list = `[]string{${added.map((f) => JSON.stringify(f)).join(', ')}}`;
      const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`;
      errors.push(fieldForbidden(root.child('finalizers'), why));
    }
  }
  if ((next.generation ?? 0) < (old.generation ?? 0)) {
    errors.push(invalid(root.child('generation'), next.generation ?? 0, 'must not be decremented'));
  }
  for (const field of [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const) {
    if (!deepEqual(next[field], old[field])) {
      errors.push(invalid(root.child(field), next[field] ?? '', 'field is immutable'));
    }
  }
  return errors;
}

export function validatePathSegment(name: string): readonly string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%'].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`);
}

function validateNamespace(namespace: string, namespaced: boolean): FieldError[] {
  if (!namespaced) {
    return namespace === '' ? [] : [fieldForbidden(root.child('namespace'), 'not allowed on this type')];
  }
  if (namespace === '') return [required(root.child('namespace'))];
  return validateDns1123Label(namespace).map((text) => invalid(root.child('namespace'), namespace, text));
}

function validateCommon(metadata: ObjectMetadata): FieldError[] {
  return [
    ...validateLabels(metadata.labels ?? {}, root.child('labels')),
    ...validateAnnotations(metadata.annotations ?? {}, root.child('annotations')),
    ...validateOwners(metadata.ownerReferences ?? [], root.child('ownerReferences')),
  ];
}

export function validateLabels(labels: Readonly<Record<string, string>>, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of Object.keys(labels).sort()) {
    for (const text of validateQualifiedName(key)) errors.push(invalid(path, key, text));
    const value = labels[key] ?? '';
    for (const text of validateLabelValue(value)) errors.push(invalid(path, value, text));
  }
  return errors;
}

export function validateAnnotations(
  annotations: Readonly<Record<string, string>>,
  path: FieldPath,
): FieldError[] {
  const errors: FieldError[] = [];
  let totalBytes = 0;
  for (const key of Object.keys(annotations).sort()) {
    for (const text of validateQualifiedName(key.toLowerCase())) errors.push(invalid(path, key, text));
    totalBytes += Buffer.byteLength(key) + Buffer.byteLength(annotations[key] ?? '');
  }
  if (totalBytes > MAX_ANNOTATIONS_BYTES) errors.push(tooLong(path, MAX_ANNOTATIONS_BYTES));
  return errors;
}

function validateOwners(owners: readonly OwnerReference[], path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  let controller = '';
  for (const owner of owners) {
    const { group, version } = parseApiVersion(owner.apiVersion);
    if (version === '')
      errors.push(invalid(path.child('apiVersion'), owner.apiVersion, 'version must not be empty'));
    if (owner.kind === '') errors.push(invalid(path.child('kind'), owner.kind, 'must not be empty'));
    if (owner.name === '') errors.push(invalid(path.child('name'), owner.name, 'must not be empty'));
    if (owner.uid === '') errors.push(invalid(path.child('uid'), owner.uid, 'must not be empty'));
    if (group === '' && version === 'v1' && owner.kind === 'Event') {
      errors.push(invalid(path, owner, '/v1, Kind=Event is disallowed from being an owner'));
    }
    if (owner.controller !== true) continue;
    const current = `${owner.kind}/${owner.name}`;
    if (controller === '') controller = current;
    else {
      const why = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${current}`;
      errors.push(invalid(path, owners, why));
    }
  }
  return errors;
}

const STANDARD_FINALIZERS = new Set(['kubernetes', ORPHAN, FOREGROUND]);

/** Built-in kinds want finalizers that somebody's domain qualifies. */
export function validateBuiltinFinalizers(finalizers: readonly string[]): FieldError[] {
  return finalizers.flatMap((finalizer, i) => {
    if (finalizer.includes('/') || STANDARD_FINALIZERS.has(finalizer)) return [];
    const why = 'name is neither a standard finalizer name nor is it fully qualified';
    return [invalid(root.child('finalizers').index(i), finalizer, why)];
  });
}

function validateFinalizers(finalizers: readonly string[]): FieldError[] {
  const path = root.child('finalizers');
  const errors = finalizers.flatMap((f) => validateQualifiedName(f).map((text) => invalid(path, f, text)));
  if (finalizers.includes(ORPHAN) && finalizers.includes(FOREGROUND)) {
    errors.push(invalid(path, finalizers, `finalizer ${ORPHAN} and ${FOREGROUND} cannot be both set`));
  }
  return errors;
}

function validateManagedFields(entries: readonly ManagedFieldsEntry[]): FieldError[] {
  return entries.flatMap((entry, i) => {
    const path = root.child('managedFields').index(i);
    const errors: FieldError[] = [];
    if (entry.operation !== 'Apply' && entry.operation !== 'Update') {
      errors.push(invalid(path.child('operation'), entry.operation ?? '', 'must be `Apply` or `Update`'));
    }
    if ((entry.fieldsType ?? 'FieldsV1') !== 'FieldsV1') {
      errors.push(invalid(path.child('fieldsType'), entry.fieldsType, 'must be `FieldsV1`'));
    }
    errors.push(...validateManager(entry.manager ?? '', path.child('manager')));
    if (Buffer.byteLength(entry.subresource ?? '') > MAX_SUBRESOURCE_BYTES) {
      errors.push(tooLong(path.child('subresource'), MAX_SUBRESOURCE_BYTES));
    }
    return errors;
  });
}

/** What every usual name is: asked first, since each write carries names. */
const PRINTABLE_ASCII = /^[ -~]*$/;

/** A field manager's name: at most 128 bytes, printable. */
export function validateManager(manager: string, path: FieldPath): FieldError[] {
  if (Buffer.byteLength(manager) > MAX_MANAGER_BYTES) return [tooLong(path, MAX_MANAGER_BYTES)];
  if (PRINTABLE_ASCII.test(manager)) return [];
  const at = Array.from(manager).findIndex((character) => /\p{C}/u.test(character));
  if (at < 0) return [];
  const code = (manager.codePointAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return [invalid(path, manager, `invalid character U+${code} (at position ${at})`)];
}
