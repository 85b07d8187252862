/** Gives a volume to the pod's `fsGroup`: the group owns everything, new files inherit it (setgid). */
import type { Files } from '#platform';
import type { Pod } from '../pods/pod-spec.ts';

const READ_WRITE = 0o660;
const READ_ONLY = 0o440;
const FOLDER = 0o110;
const SETGID = 0o2000;

export async function applyFsGroup(
  files: Files,
  path: string,
  gid: number,
  options: { readonly readOnly: boolean; readonly onlyIfRootDiffers?: boolean },
): Promise<void> {
  if (options.onlyIfRootDiffers === true) {
    const root = await files.stat(path);
    if (root?.gid === gid && (root.mode & SETGID) !== 0) return;
  }
  await walk(files, path, gid, options.readOnly ? READ_ONLY : READ_WRITE);
}

async function walk(files: Files, path: string, gid: number, mask: number): Promise<void> {
  const stat = await files.stat(path, { follow: false });
  if (stat === undefined || stat.kind === 'symlink') return;
  if (stat.kind === 'directory') {
    for (const name of await files.list(path)) await walk(files, `${path}/${name}`, gid, mask);
  }
  await files.chown(path, -1, gid);
  await files.chmod(path, stat.mode | mask | (stat.kind === 'directory' ? FOLDER | SETGID : 0));
}

/** The user that all containers run as, if it is one and the same. */
export function commonUser(pod: Pod): number | undefined {
  const shared = pod.spec.securityContext?.runAsUser;
  const users = new Set(
    [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(
      ({ securityContext }) => securityContext?.runAsUser ?? shared,
    ),
  );
  return users.size === 1 ? [...users][0] : undefined;
}
