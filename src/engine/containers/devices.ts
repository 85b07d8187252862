import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RuntimeError } from '#cri';
import { deviceParts } from '../kernel/libc.ts';
import type { SpecDevice } from './runtime-spec.ts';

/** Folders and nodes of /dev that every container makes for itself. */
const OWN = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console']);
const FOLDER_DEPTH_MAX = 8;

function deviceAt(hostPath: string, containerPath: string, access: string): SpecDevice | undefined {
  const stats = lstatSync(hostPath, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined || !(stats.isCharacterDevice() || stats.isBlockDevice())) return undefined;
  return {
    path: containerPath,
    type: stats.isBlockDevice() ? 'b' : 'c',
    ...deviceParts(stats.rdev),
    fileMode: Number(stats.mode & 0o777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    access,
  };
}

function devicesBelow(hostPath: string, containerPath: string, access: string, depth = 0): SpecDevice[] {
  const own = deviceAt(hostPath, containerPath, access);
  if (own !== undefined) return [own];
  const stats = lstatSync(hostPath, { throwIfNoEntry: false });
  if (stats?.isDirectory() !== true || depth > FOLDER_DEPTH_MAX) return [];
  return readdirSync(hostPath)
    .filter((name) => depth > 0 || !OWN.has(name))
    .flatMap((name) => devicesBelow(join(hostPath, name), join(containerPath, name), access, depth + 1));
}

/** All devices of the machine: for privileged containers. */
export const hostDevices = (): SpecDevice[] => devicesBelow('/dev', '/dev', 'rwm');

/** A device, or the devices of a folder, asked for by name. @throws RuntimeError when there is none. */
export function wantedDevices(device: {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly permissions: string;
}): SpecDevice[] {
  const { hostPath, containerPath, permissions } = device;
  const stats = statSync(hostPath, { throwIfNoEntry: false });
  const found =
    stats === undefined ? [] : devicesBelow(hostPath, containerPath || hostPath, permissions || 'rwm', 1);
  if (found.length === 0)
    throw new RuntimeError(
      'INVALID_ARGUMENT',
      `error gathering device information: "${hostPath}" is no device`,
    );
  return found;
}
