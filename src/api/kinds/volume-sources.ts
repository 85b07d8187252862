/**
 * Where a volume comes from: rules of the sources that pods and persistent volumes share, and of those of former
 * cloud providers. Each rule knows only its own source; who may have which is said by `pod/validation/volumes.ts` and
 * `storage/persistent-volume.ts`.
 */
import {
  type FieldPath,
  invalid,
  notSupported,
  required,
  tooLong,
  validateDns1123Subdomain,
} from '#machinery';
import type { coreV1 } from '../types/index.ts';
import { addInvalid, checkPresent, checkSupported, isEmpty, type Errors } from './field-rules.ts';
import { checkDns1123Label } from './metadata-rules.ts';
import { checkNoBacksteps } from './pod/validation/volume-files.ts';

const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

/** A source of which all that is asked is that certain fields are there. */
export const needs =
  (...fields: readonly string[]) =>
  (source: object, at: FieldPath, errors: Errors): void => {
    for (const field of fields) {
      const value = (source as Readonly<Record<string, unknown>>)[field];
      const isMissing =
        value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
      if (isMissing) errors.push(required(at.child(field)));
    }
  };

export function checkHostPath(source: coreV1.HostPathVolumeSource, at: FieldPath, errors: Errors): void {
  if (!checkPresent(source.path, at.child('path'), errors)) return;
  checkNoBacksteps(source.path, at.child('path'), errors);
  checkSupported(source.type, HOST_PATH_TYPES, at.child('type'), errors);
}

export function checkNfs(source: coreV1.NFSVolumeSource, at: FieldPath, errors: Errors): void {
  checkPresent(source.server, at.child('server'), errors);
  checkPresent(source.path, at.child('path'), errors);
  if (!source.path.startsWith('/')) {
    errors.push(invalid(at.child('path'), source.path, 'must be an absolute path'));
  }
}

const MAX_LUN = 255;
const lunRange = `must be between 0 and ${MAX_LUN}, inclusive`;

function checkIscsiName(name: string, at: FieldPath, errors: Errors, hint: string): void {
  const patterns: Readonly<Record<string, RegExp>> = {
    iqn: /iqn\.\d{4}-\d{2}\.[A-Za-z0-9.-]+:[^,;*&$|\s]+$/,
    eui: /^eui.[A-Za-z0-9]{16}$/,
    naa: /^naa.[A-Za-z0-9]{32}$/,
  };
  const pattern = patterns[name.slice(0, 3)];
  if (pattern === undefined) {
    errors.push(invalid(at, name, `must be valid format${hint}`));
  } else if (!pattern.test(name)) errors.push(invalid(at, name, 'must be valid format'));
}

type Iscsi = coreV1.ISCSIVolumeSource | coreV1.ISCSIPersistentVolumeSource;

const ISCSI_STARTS = ' starting with iqn, eui, or naa';

/** @param isPersistent the source of a PersistentVolume: a bad `iqn` is told about in fewer words. */
export function checkIscsi(source: Iscsi, at: FieldPath, errors: Errors, isPersistent = false): void {
  checkPresent(source.targetPortal, at.child('targetPortal'), errors);
  if (checkPresent(source.iqn, at.child('iqn'), errors)) {
    checkIscsiName(source.iqn, at.child('iqn'), errors, isPersistent ? '' : ISCSI_STARTS);
  }
  if (source.lun < 0 || source.lun > MAX_LUN) errors.push(invalid(at.child('lun'), source.lun, lunRange));
  const isAuthenticated = source.chapAuthDiscovery === true || source.chapAuthSession === true;
  if (isAuthenticated && source.secretRef === undefined) errors.push(required(at.child('secretRef')));
  if (source.initiatorName !== undefined) {
    checkIscsiName(source.initiatorName, at.child('initiatorname'), errors, ISCSI_STARTS);
  }
}

/** Portal and volume name go into one name of the host. */
export const ISCSI_TOO_LONG =
  'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.';
export const isIscsiTooLong = (volumeName: string, { initiatorName, targetPortal }: Iscsi): boolean =>
  initiatorName !== undefined && Buffer.byteLength(`${volumeName}:${targetPortal}`) > 64;

export function checkFibreChannel(source: coreV1.FCVolumeSource, at: FieldPath, errors: Errors): void {
  const { targetWWNs = [], wwids = [], lun } = source;
  const names = at.child('targetWWNs');
  if (targetWWNs.length === 0 && wwids.length === 0) {
    errors.push(required(names, 'must specify either targetWWNs or wwids, but not both'));
  }
  if (targetWWNs.length > 0 && wwids.length > 0) {
    errors.push(invalid(names, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'));
  }
  if (targetWWNs.length === 0) return;
  if (lun === undefined) errors.push(required(at.child('lun'), 'lun is required if targetWWNs is specified'));
  else if (lun < 0 || lun > MAX_LUN) errors.push(invalid(at.child('lun'), lun, lunRange));
}

const RESERVED = ['.kubernetes.io', '.k8s.io'];

export function checkFlexVolume(
  source: { readonly driver: string; readonly options?: Readonly<Record<string, string>> },
  at: FieldPath,
  errors: Errors,
): void {
  checkPresent(source.driver, at.child('driver'), errors);
  for (const key of Object.keys(source.options ?? {}).toSorted()) {
    const namespace = `.${(key.split('/')[0] ?? '').toLowerCase()}`;
    if (RESERVED.some((suffix) => namespace.endsWith(suffix))) {
      const why = 'kubernetes.io and k8s.io namespaces are reserved';
      errors.push(invalid(at.child('options').key(key), key, why));
    }
  }
}

export function checkFlocker(source: coreV1.FlockerVolumeSource, at: FieldPath, errors: Errors): void {
  const { datasetName = '', datasetUUID = '' } = source;
  if (datasetName === '' && datasetUUID === '') {
    errors.push(required(at, 'one of datasetName and datasetUUID is required'));
  }
  if (datasetName !== '' && datasetUUID !== '') {
    errors.push(invalid(at, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'));
  }
  if (datasetName.includes('/')) {
    errors.push(invalid(at.child('datasetName'), datasetName, "must not contain '/'"));
  }
}

/** A disk of a cloud by its name, and the partition on it. */
export const checkDisk =
  (nameField: 'pdName' | 'volumeID') =>
  (
    source: { readonly pdName?: string; readonly volumeID?: string; readonly partition?: number },
    at: FieldPath,
    errors: Errors,
  ): void => {
    checkPresent(source[nameField], at.child(nameField), errors);
    const { partition = 0 } = source;
    if (partition < 0 || partition > 255) {
      errors.push(invalid(at.child('partition'), partition, 'must be between 1 and 255, inclusive'));
    }
  };

const MANAGED_URI =
  '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const BLOB_URI = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';

export function checkAzureDisk(source: coreV1.AzureDiskVolumeSource, at: FieldPath, errors: Errors): void {
  const { diskName, diskURI, cachingMode, kind } = source;
  checkPresent(diskName, at.child('diskName'), errors);
  checkPresent(diskURI, at.child('diskURI'), errors);
  checkSupported(cachingMode, ['None', 'ReadOnly', 'ReadWrite'], at.child('cachingMode'), errors);
  checkSupported(kind, ['Dedicated', 'Managed', 'Shared'], at.child('kind'), errors);
  if (kind === 'Managed' && !diskURI.startsWith('/subscriptions/')) {
    errors.push(notSupported(at.child('diskURI'), diskURI, [MANAGED_URI]));
  }
  if (kind !== undefined && kind !== 'Managed' && !diskURI.startsWith('https://')) {
    errors.push(notSupported(at.child('diskURI'), diskURI, [BLOB_URI]));
  }
}

export function checkQuobyte(source: coreV1.QuobyteVolumeSource, at: FieldPath, errors: Errors): void {
  const pairs = 'must be a host:port pair or multiple pairs separated by commas';
  const { registry, tenant = '' } = source;
  if (registry === '') errors.push(required(at.child('registry'), pairs));
  else if (Buffer.byteLength(tenant) >= 65) {
    errors.push(required(at.child('tenant'), 'must be a UUID and may not exceed a length of 64 characters'));
  } else {
    for (const pair of registry.split(',')) {
      if (!/^(\[[^\]]*\]|[^:]*):[^:]*$/.test(pair))
        errors.push(invalid(at.child('registry'), registry, pairs));
    }
  }
  checkPresent(source.volume, at.child('volume'), errors);
}

export function checkStorageOs(
  source: coreV1.StorageOSVolumeSource | coreV1.StorageOSPersistentVolumeSource,
  at: FieldPath,
  errors: Errors,
): void {
  const { volumeName = '', volumeNamespace = '', secretRef } = source;
  if (checkPresent(volumeName, at.child('volumeName'), errors)) {
    checkDns1123Label(volumeName, at.child('volumeName'), errors);
  }
  if (volumeNamespace !== '') checkDns1123Label(volumeNamespace, at.child('volumeNamespace'), errors);
  if (secretRef !== undefined) checkPresent(secretRef.name, at.child('secretRef', 'name'), errors);
}

const MAX_DRIVER_LENGTH = 63;

export function checkCsiDriverName(name: string, at: FieldPath, errors: Errors): void {
  if (!checkPresent(name, at, errors)) return;
  if (Buffer.byteLength(name) > MAX_DRIVER_LENGTH) errors.push(tooLong(at, MAX_DRIVER_LENGTH));
  addInvalid(validateDns1123Subdomain(name.toLowerCase()), at, name, errors);
}

export function checkInlineCsi(source: coreV1.CSIVolumeSource, at: FieldPath, errors: Errors): void {
  checkCsiDriverName(source.driver, at.child('driver'), errors);
  const name = source.nodePublishSecretRef?.name ?? '';
  if (source.nodePublishSecretRef === undefined) return;
  if (isEmpty(name)) errors.push(required(at.child('nodePublishSecretRef', 'name')));
  else addInvalid(validateDns1123Subdomain(name), at.child('name'), name, errors);
}
