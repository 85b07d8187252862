/** PersistentVolume. */
import {
  deepEqual,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  required,
  validateDns1123Label,
  validateDns1123Subdomain,
} from '#machinery';
import type { coreV1 } from '../../types/index.ts';
import {
  addInvalid,
  checkImmutable,
  checkPresent,
  checkSupported,
  collect,
  type Errors,
  FIELD_IS_IMMUTABLE,
  sortedEntries,
  sortedMap,
} from '../field-rules.ts';
import { checkNodeSelector } from '../pod/validation/scheduling.ts';
import { checkNoBacksteps } from '../pod/validation/volume-files.ts';
import { checkBasicQuantity, checkPositiveQuantity } from '../resource-rules.ts';
import { specDiff } from '../spec-diff.ts';
import {
  checkAzureDisk,
  checkCsiDriverName,
  checkDisk,
  checkFibreChannel,
  checkFlexVolume,
  checkFlocker,
  checkHostPath,
  checkIscsi,
  checkNfs,
  checkQuobyte,
  checkStorageOs,
  ISCSI_TOO_LONG,
  isIscsiTooLong,
  needs,
} from '../volume-sources.ts';
import { checkAccessModes, VOLUME_MODES } from './claim-spec.ts';

type Volume = coreV1.PersistentVolume;
type Spec = coreV1.PersistentVolumeSpec;
type Check = (source: never, at: FieldPath, errors: Errors) => void;

function checkLocal({ path }: coreV1.LocalVolumeSource, at: FieldPath, errors: Errors): void {
  if (checkPresent(path, at.child('path'), errors)) checkNoBacksteps(path, at.child('path'), errors);
}

function checkGlusterfs(source: coreV1.GlusterfsPersistentVolumeSource, at: FieldPath, errors: Errors): void {
  needs('endpoints', 'path')(source, at, errors);
  const { endpointsNamespace } = source;
  if (endpointsNamespace === undefined) return;
  const path = at.child('endpointsNamespace');
  if (endpointsNamespace === '') {
    const why = 'if the endpointnamespace is set, it must be a valid namespace name';
    errors.push(invalid(path, '', why));
  } else addInvalid(validateDns1123Label(endpointsNamespace), path, endpointsNamespace, errors);
}

function checkAzureFile(source: coreV1.AzureFilePersistentVolumeSource, at: FieldPath, errors: Errors): void {
  needs('secretName', 'shareName')(source, at, errors);
  if (source.secretNamespace === '') errors.push(required(at.child('secretNamespace')));
}

function checkCinder(source: coreV1.CinderPersistentVolumeSource, at: FieldPath, errors: Errors): void {
  checkPresent(source.volumeID, at.child('volumeID'), errors);
  if (source.secretRef !== undefined)
    needs('name', 'namespace')(source.secretRef, at.child('secretRef'), errors);
}

function checkStorageOsVolume(
  source: coreV1.StorageOSPersistentVolumeSource,
  at: FieldPath,
  errors: Errors,
): void {
  checkStorageOs(source, at, errors);
  if (source.secretRef !== undefined) needs('namespace')(source.secretRef, at.child('secretRef'), errors);
}

const CSI_SECRETS = [
  'controllerPublishSecretRef',
  'controllerExpandSecretRef',
  'nodePublishSecretRef',
  'nodeExpandSecretRef',
] as const;

function checkCsi(source: coreV1.CSIPersistentVolumeSource, at: FieldPath, errors: Errors): void {
  checkCsiDriverName(source.driver, at.child('driver'), errors);
  checkPresent(source.volumeHandle, at.child('volumeHandle'), errors);
  for (const field of CSI_SECRETS) {
    const reference = source[field];
    if (reference === undefined) continue;
    const path = at.child(field);
    const { name = '', namespace = '' } = reference;
    if (checkPresent(name, path.child('name'), errors)) {
      addInvalid(validateDns1123Subdomain(name), path.child('name'), name, errors);
    }
    if (checkPresent(namespace, path.child('namespace'), errors)) {
      addInvalid(validateDns1123Label(namespace), path.child('namespace'), namespace, errors);
    }
  }
}

/** In the order in which upstream looks at them; the third is where errors inside are reported. */
const SOURCES: readonly (readonly [keyof Spec, Check, string?])[] = [
  ['hostPath', checkHostPath],
  ['gcePersistentDisk', checkDisk('pdName'), 'persistentDisk'],
  ['awsElasticBlockStore', checkDisk('volumeID')],
  ['glusterfs', checkGlusterfs],
  ['flocker', checkFlocker],
  ['nfs', checkNfs],
  ['rbd', needs('monitors', 'image')],
  ['quobyte', checkQuobyte],
  ['cephfs', needs('monitors')],
  ['iscsi', (source, at, errors) => checkIscsi(source, at, errors, true)],
  ['cinder', checkCinder],
  ['fc', checkFibreChannel],
  ['flexVolume', checkFlexVolume],
  ['azureFile', checkAzureFile],
  ['vsphereVolume', needs('volumePath')],
  ['photonPersistentDisk', needs('pdID')],
  ['portworxVolume', needs('volumeID')],
  ['azureDisk', checkAzureDisk],
  ['scaleIO', needs('gateway', 'system', 'volumeName')],
  ['local', checkLocal],
  ['storageos', checkStorageOsVolume],
  ['csi', checkCsi],
];

const specPath = new FieldPath('spec');
const RECLAIM = ['Delete', 'Recycle', 'Retain'];

function checkVolumeSpec(spec: Spec, name: string, errors: Errors): void {
  const { accessModes = [], capacity = {}, storageClassName = '' } = spec;
  if (accessModes.length === 0) errors.push(required(specPath.child('accessModes')));
  checkAccessModes(accessModes, specPath.child('accessModes'), errors);
  checkCapacity(capacity, specPath.child('capacity'), errors);
  const reclaimPath = specPath.child('persistentVolumeReclaimPolicy');
  checkSupported(spec.persistentVolumeReclaimPolicy, RECLAIM, reclaimPath, errors);
  checkNodeAffinity(spec, errors);
  checkVolumeSource(spec, name, errors);
  const isRoot = /^\/*$/.test(spec.hostPath?.path ?? 'x');
  if (isRoot && spec.persistentVolumeReclaimPolicy === 'Recycle') {
    errors.push(fieldForbidden(reclaimPath, "may not be 'recycle' for a hostPath mount of '/'"));
  }
  if (storageClassName !== '') {
    const path = specPath.child('storageClassName');
    addInvalid(validateDns1123Subdomain(storageClassName), path, storageClassName, errors);
  }
  checkSupported(spec.volumeMode, VOLUME_MODES, specPath.child('volumeMode'), errors);
  checkAttributesClass(spec, errors);
}

function checkCapacity(capacity: Readonly<Record<string, string>>, at: FieldPath, errors: Errors): void {
  const names = Object.keys(capacity);
  if (names.length === 0) errors.push(required(at));
  if (capacity['storage'] === undefined || names.length > 1) {
    errors.push(notSupported(at, names.length === 0 ? null : sortedMap(capacity), ['storage']));
  }
  for (const [name, quantity] of sortedEntries(capacity)) {
    checkBasicQuantity(quantity, at.key(name), errors);
    checkPositiveQuantity(quantity, at.key(name), errors);
  }
}

function checkNodeAffinity({ nodeAffinity }: Spec, errors: Errors): void {
  if (nodeAffinity === undefined) return;
  const path = specPath.child('nodeAffinity', 'required');
  if (nodeAffinity.required === undefined) {
    errors.push(required(path, 'must specify required node constraints'));
  } else checkNodeSelector(nodeAffinity.required, path, errors);
}

function checkVolumeSource(spec: Spec, name: string, errors: Errors): void {
  let found = 0;
  for (const [field, check, path = field] of SOURCES) {
    const source = spec[field];
    if (source === undefined) continue;
    if (found++ > 0 && field !== 'flexVolume') {
      const at = specPath.child(field === 'cephfs' ? 'cephFS' : field);
      errors.push(fieldForbidden(at, 'may not specify more than 1 volume type'));
      continue;
    }
    // The rule and the source come from the same entry of the table, which the compiler cannot see.
    (check as (source: unknown, at: FieldPath, errors: Errors) => void)(source, specPath.child(path), errors);
    if (field === 'iscsi' && spec.iscsi !== undefined && isIscsiTooLong(name, spec.iscsi)) {
      const at = specPath.child('iscsi', 'targetportal');
      errors.push(invalid(at, spec.iscsi.targetPortal, ISCSI_TOO_LONG));
    }
    if (field === 'local' && spec.nodeAffinity === undefined) {
      errors.push(required(specPath.child('nodeAffinity'), 'Local volume requires node affinity'));
    }
  }
  if (found === 0) errors.push(required(specPath, 'must specify a volume type'));
}

function checkAttributesClass(spec: Spec, errors: Errors): void {
  const { volumeAttributesClassName: name } = spec;
  if (name === undefined) return;
  const path = specPath.child('volumeAttributesClassName');
  if (checkPresent(name, path, errors, 'an empty string is disallowed')) {
    addInvalid(validateDns1123Subdomain(name), path, name, errors);
  }
  if (spec.csi === undefined) {
    const why = 'has to be specified when using volumeAttributesClassName';
    errors.push(required(specPath.child('csi'), why));
  }
}

export const validateVolume = ({ metadata, spec }: Volume): readonly FieldError[] =>
  collect((errors) => checkVolumeSpec(spec, metadata.name, errors));

const sourceOf = (spec: Spec): object =>
  Object.fromEntries(
    SOURCES.map(([field]) => [field, spec[field]]).filter(([, source]) => source !== undefined),
  );

export const validateVolumeUpdate = (
  { metadata, spec }: Volume,
  { spec: old }: Volume,
): readonly FieldError[] =>
  collect((errors) => {
    checkVolumeSpec(spec, metadata.name, errors);
    // A secret for growing may still be added.
    const next =
      spec.csi !== undefined && old.csi !== undefined && old.csi.controllerExpandSecretRef === undefined
        ? { ...sourceOf(spec), csi: { ...spec.csi, controllerExpandSecretRef: undefined } }
        : sourceOf(spec);
    if (!deepEqual(next, sourceOf(old))) {
      const why = `spec.persistentvolumesource is immutable after creation\n${specDiff(sourceOf(old), next)}`;
      errors.push(fieldForbidden(specPath.child('persistentvolumesource'), why));
    }
    // Upstream leaves out `spec` here.
    checkImmutable(spec.volumeMode, old.volumeMode, new FieldPath('volumeMode'), errors);
    if (
      old.nodeAffinity !== undefined &&
      !deepEqual(withStableLabels(old.nodeAffinity), withStableLabels(spec.nodeAffinity))
    ) {
      const why = `${FIELD_IS_IMMUTABLE}, except for updating from beta label to GA`;
      errors.push(invalid('nodeAffinity', spec.nodeAffinity, why));
    }
    if (old.volumeAttributesClassName !== undefined && spec.volumeAttributesClassName === undefined) {
      const why = 'update from non-nil value to nil is forbidden';
      errors.push(fieldForbidden(specPath.child('volumeAttributesClassName'), why));
    }
  });

const STABLE_LABELS: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
};

/** Labels under their present names. */
const withStableLabels = (affinity: coreV1.VolumeNodeAffinity | undefined): unknown =>
  affinity?.required?.nodeSelectorTerms?.map((term) => ({
    ...term,
    matchExpressions: term.matchExpressions?.map((requirement) => ({
      ...requirement,
      key: STABLE_LABELS[requirement.key] ?? requirement.key,
    })),
  }));
