/** Where the volumes of a pod appear in a container: as directories, or as block devices. */
import { type FieldPath, fieldForbidden, fieldNotFound, invalid } from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { checkPresent, checkSupported, type Errors } from '../../field-rules.ts';
import { checkDescendingPath } from './volume-files.ts';
import type { KnownVolumes } from './volumes.ts';

type Mountable = Pick<coreV1.Container, 'volumeMounts' | 'volumeDevices' | 'securityContext'>;

export function checkMounts(
  container: Mountable,
  volumes: KnownVolumes,
  at: FieldPath,
  errors: Errors,
): void {
  const { volumeMounts = [], volumeDevices = [] } = container;
  const seen = new Set<string>();
  for (const [i, mount] of volumeMounts.entries()) {
    checkMount(mount, volumes, seen, at.index(i), errors);
    seen.add(mount.mountPath);
    if (volumeDevices.some(({ name }) => name === mount.name)) {
      errors.push(invalid(at.index(i).child('name'), mount.name, 'must not already exist in volumeDevices'));
    }
    if (volumeDevices.some(({ devicePath }) => devicePath === mount.mountPath)) {
      const why = 'must not already exist as a path in volumeDevices';
      errors.push(invalid(at.index(i).child('mountPath'), mount.mountPath, why));
    }
    checkSubPaths(mount, at, at.index(i), errors);
    checkPropagation(mount, container, at, errors);
  }
}

function checkMount(
  mount: coreV1.VolumeMount,
  volumes: KnownVolumes,
  seen: ReadonlySet<string>,
  at: FieldPath,
  errors: Errors,
): void {
  checkPresent(mount.name, at.child('name'), errors);
  if (!volumes.has(mount.name)) errors.push(fieldNotFound(at.child('name'), mount.name));
  checkPresent(mount.mountPath, at.child('mountPath'), errors);
  if (seen.has(mount.mountPath)) {
    errors.push(invalid(at.child('mountPath'), mount.mountPath, 'must be unique'));
  }
}

/** Upstream blames the list where one would expect its item; clients see that path. */
function checkSubPaths(mount: coreV1.VolumeMount, list: FieldPath, item: FieldPath, errors: Errors): void {
  const { subPath = '', subPathExpr = '' } = mount;
  if (subPath !== '') checkDescendingPath(subPath, list.child('subPath'), errors);
  if (subPathExpr === '') return;
  if (subPath !== '') {
    const why = 'subPathExpr and subPath are mutually exclusive';
    errors.push(invalid(item.child('subPathExpr'), subPathExpr, why));
  }
  checkDescendingPath(subPathExpr, list.child('subPathExpr'), errors);
}

function checkPropagation(
  mount: coreV1.VolumeMount,
  container: Mountable,
  list: FieldPath,
  errors: Errors,
): void {
  const { mountPropagation, recursiveReadOnly } = mount;
  const modes = ['Bidirectional', 'HostToContainer', 'None'];
  checkSupported(mountPropagation, modes, list.child('mountPropagation'), errors);
  if (mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
    const why = 'Bidirectional mount propagation is available only to privileged containers';
    errors.push(fieldForbidden(list.child('mountPropagation'), why));
  }
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return;
  const at = list.child('recursiveReadOnly');
  const before = errors.length;
  checkSupported(recursiveReadOnly, ['Disabled', 'Enabled', 'IfPossible'], at, errors);
  if (errors.length > before) return;
  if (mount.readOnly !== true) {
    errors.push(fieldForbidden(at, 'may only be specified when readOnly is true'));
  }
  if (mountPropagation !== undefined && mountPropagation !== 'None') {
    const why = 'may only be specified when mountPropagation is None or not specified';
    errors.push(fieldForbidden(at, why));
  }
}

export function checkDevices(
  container: Mountable,
  volumes: KnownVolumes,
  at: FieldPath,
  errors: Errors,
): void {
  const { volumeMounts = [], volumeDevices = [] } = container;
  const paths = new Set<string>();
  const names = new Set<string>();
  for (const [i, { name, devicePath }] of volumeDevices.entries()) {
    const namePath = at.index(i).child('name');
    const pathPath = at.index(i).child('devicePath');
    const volume = volumes.get(name);
    checkPresent(name, namePath, errors);
    if (names.has(name)) errors.push(invalid(namePath, name, 'must be unique'));
    if (volume === undefined) errors.push(fieldNotFound(namePath, name));
    else if (volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined) {
      const why = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode';
      errors.push(invalid(namePath, name, why));
    }
    checkPresent(devicePath, pathPath, errors);
    if (paths.has(devicePath)) errors.push(invalid(pathPath, devicePath, 'must be unique'));
    if (devicePath.split('/').includes('..')) {
      errors.push(invalid(pathPath, devicePath, "can not contain backsteps ('..')"));
    } else paths.add(devicePath);
    if (volumeMounts.some((mount) => mount.name === name)) {
      errors.push(invalid(namePath, name, 'must not already exist in volumeMounts'));
    }
    if (volumeMounts.some((mount) => mount.mountPath === devicePath)) {
      errors.push(invalid(pathPath, devicePath, 'must not already exist as a path in volumeMounts'));
    }
    if (name !== '') names.add(name);
  }
}
