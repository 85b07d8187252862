import { join } from 'node:path';

/**
 * Where everything of one engine lives. `root` is on a disk and outlives the machine's power; `state` is on a tmpfs
 * and holds what only makes sense while processes run.
 */
export interface EnginePaths {
  readonly root: string;
  readonly state: string;
  readonly images: string;
  readonly sandboxRecords: string;
  readonly containerRecords: string;
  /** Anonymous volumes (VOLUME of an image), one folder per container. */
  readonly volumes: string;
  /** conmon writes the exit code of container `<id>` to `<exits>/<id>`. */
  readonly exits: string;
  readonly runcRoot: string;
  namespace(kind: 'net' | 'ipc' | 'uts', sandboxId: string): string;
  sandbox(sandboxId: string): string;
  bundle(containerId: string): string;
}

export function enginePaths(root: string, state: string): EnginePaths {
  return {
    root,
    state,
    images: join(root, 'images.json'),
    sandboxRecords: join(root, 'sandboxes'),
    containerRecords: join(root, 'containers'),
    volumes: join(root, 'volumes'),
    exits: join(state, 'exits'),
    runcRoot: join(state, 'runc'),
    namespace: (kind, sandboxId) => join(state, `${kind}ns`, sandboxId),
    sandbox: (sandboxId) => join(state, 'sandboxes', sandboxId),
    bundle: (containerId) => join(state, 'containers', containerId),
  };
}
