/**
 * Namespaces of a pod without a process that holds them.
 *
 * Idea: the main thread itself steps into new network, IPC and UTS namespaces, sets them up, pins each by a bind
 * mount of `/proc/thread-self/ns/…`, and steps back: no child, about a millisecond. This is sound because the whole
 * excursion is synchronous — nothing else runs on this thread and no other thread is affected (these three kinds
 * belong to a thread, not to the process) — and because libuv's pool is started before, so that no pool thread is
 * born inside. If stepping back fails, the process is no longer where it believes to be: it ends itself.
 */
import { closeSync, openSync, stat, writeFileSync } from 'node:fs';
import { CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUTS, MS_BIND } from './libc.ts';
import { bringLoopbackUp, mount, setHostname, setns, tcpSocket, unshare } from './libc.ts';

export type NamespaceKind = 'net' | 'ipc' | 'uts';

const FLAGS: Readonly<Record<NamespaceKind, number>> = {
  net: CLONE_NEWNET,
  ipc: CLONE_NEWIPC,
  uts: CLONE_NEWUTS,
};

let poolStarted: Promise<void> | undefined;

/** Has libuv start its pool now, in the namespaces of the machine. Await it before the functions below. */
export function startThreadPool(): Promise<void> {
  poolStarted ??= new Promise((resolve) => stat('/', () => resolve()));
  return poolStarted;
}

/** Runs `inside` and comes back to where the thread was, also when `inside` throws. */
function excursion<T>(kinds: readonly NamespaceKind[], inside: () => T): T {
  const home = kinds.map((kind) => ({ kind, fd: openSync(`/proc/thread-self/ns/${kind}`, 'r') }));
  try {
    return inside();
  } finally {
    try {
      for (const { kind, fd } of home) setns(fd, FLAGS[kind]);
    } catch (e) {
      process.stderr.write(`cannot leave a pod's namespaces, ending: ${String(e)}\n`);
      process.abort();
    }
    for (const { fd } of home) closeSync(fd);
  }
}

export interface PinnedNamespaces {
  /** Where each new namespace gets pinned; the files are made. A kind left out stays the machine's. */
  readonly paths: Readonly<Partial<Record<NamespaceKind, string>>>;
  readonly hostname: string;
  /** Dotted names; only those of a namespace in `paths` may appear. */
  readonly sysctls: Readonly<Record<string, string>>;
}

/**
 * Makes the namespaces and pins them. Undo with `unmount(path)` and removing the file.
 * @throws SystemCallError; what was pinned before the failure stays for the caller to take away.
 */
export function createPinnedNamespaces({ paths, hostname, sysctls }: PinnedNamespaces): void {
  const kinds = (['net', 'ipc', 'uts'] as const).filter((kind) => paths[kind] !== undefined);
  if (kinds.length === 0) return;
  for (const kind of kinds) writeFileSync(paths[kind] ?? '', '', { mode: 0o444 });
  excursion(kinds, () => {
    unshare(kinds.reduce((flags, kind) => flags | FLAGS[kind], 0));
    if (paths.uts !== undefined) setHostname(hostname);
    if (paths.net !== undefined) bringLoopbackUp(closeSync);
    // /proc/sys answers for the namespaces of whoever asks, and that is this thread.
    for (const [name, value] of Object.entries(sysctls)) {
      writeFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, value);
    }
    for (const kind of kinds) mount(`/proc/thread-self/ns/${kind}`, paths[kind] ?? '', '', MS_BIND, '');
  });
}

/** A TCP socket that lives in the pinned network namespace, to be connected from outside it. */
export function tcpSocketIn(networkNamespace: string, family: 4 | 6): number {
  const target = openSync(networkNamespace, 'r');
  try {
    return excursion(['net'], () => {
      setns(target, CLONE_NEWNET);
      return tcpSocket(family);
    });
  } finally {
    closeSync(target);
  }
}
