/** Who a container's process is, looked up in the image's own /etc/passwd and /etc/group. */
import { readFileSync } from 'node:fs';
import { RuntimeError } from '#cri';
import { scopedPath } from '../snapshots/scoped-path.ts';

export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** Bytes read of an image's passwd or group file; a longer one is cut. */
const FILE_BYTES_MAX = 1024 * 1024;

function readLines(rootfs: string, path: string): readonly (readonly string[])[] {
  let text: string;
  try {
    text = readFileSync(scopedPath(rootfs, path)).toString('utf8', 0, FILE_BYTES_MAX);
  } catch {
    return [];
  }
  return text
    .split('\n')
    .filter((line) => /^[^:#]+:/.test(line))
    .map((line) => line.split(':'));
}

const passwd = (rootfs: string): readonly PasswdEntry[] =>
  readLines(rootfs, '/etc/passwd').map(([name = '', , uid = '', gid = '']) => ({
    name,
    uid: Number.parseInt(uid, 10),
    gid: Number.parseInt(gid, 10),
  }));

const groups = (rootfs: string): readonly GroupEntry[] =>
  readLines(rootfs, '/etc/group').map(([name = '', , gid = '', members = '']) => ({
    name,
    gid: Number.parseInt(gid, 10),
    members: members.split(',').filter((member) => member !== ''),
  }));

const isNumber = (text: string): boolean => /^\d+$/.test(text);

export interface WantedUser {
  readonly runAsUser?: number;
  readonly runAsUsername?: string;
  readonly runAsGroup?: number;
  readonly supplementalGroups: readonly number[];
  /** USER of the image: `user[:group]`, names or numbers. */
  readonly imageUser: string;
}

/** @throws RuntimeError when a name is in neither file. */
export function resolveUser(rootfs: string, wanted: WantedUser): ProcessUser {
  const [imageUser = '', imageGroup] = wanted.imageUser.split(':');
  const explicit = wanted.runAsUser !== undefined || (wanted.runAsUsername ?? '') !== '';
  const userText = wanted.runAsUser?.toString() ?? (wanted.runAsUsername || imageUser) ?? '';
  const entries = passwd(rootfs);
  const entry = isNumber(userText)
    ? entries.find((e) => e.uid === Number(userText))
    : entries.find((e) => e.name === userText);
  if (entry === undefined && userText !== '' && !isNumber(userText)) {
    throw new RuntimeError(
      'NOT_FOUND',
      `no users found: user "${userText}" is not in the image's /etc/passwd`,
    );
  }
  const uid = entry?.uid ?? (userText === '' ? 0 : Number(userText));
  const known = entry ?? (userText === '' ? entries.find((e) => e.uid === 0) : undefined);
  const allGroups = groups(rootfs);
  const gid =
    wanted.runAsGroup ??
    (explicit || imageGroup === undefined ? known?.gid : groupId(imageGroup, allGroups)) ??
    0;
  const memberships = known === undefined ? [] : allGroups.filter((g) => g.members.includes(known.name));
  const additional = new Set([gid, ...memberships.map((g) => g.gid), ...wanted.supplementalGroups]);
  return {
    uid,
    gid,
    additionalGids: [...additional].filter((id) => Number.isInteger(id)).sort((a, b) => a - b),
  };
}

function groupId(text: string, all: readonly GroupEntry[]): number {
  if (isNumber(text)) return Number(text);
  const group = all.find((g) => g.name === text);
  if (group === undefined) {
    throw new RuntimeError('NOT_FOUND', `no groups found: group "${text}" is not in the image's /etc/group`);
  }
  return group.gid;
}
