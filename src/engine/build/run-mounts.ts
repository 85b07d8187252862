/** `RUN --mount=…`: what a command sees beside its root filesystem. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { scopedPath } from '../snapshots/scoped-path.ts';
import type { FileTree } from './build-files.ts';
import type { RunMount } from './run-step.ts';

export interface RunMountRequest {
  readonly type: 'bind' | 'cache' | 'tmpfs';
  readonly target: string;
  readonly source: string;
  readonly from: string | undefined;
  readonly id: string;
  readonly readonly: boolean;
}

/** Reads `type=cache,target=/root/.npm`. @throws Error for kinds that are not supported. */
export function parseRunMount(text: string, workingDir: string): RunMountRequest {
  const options = new Map(
    text.split(',').map((part) => {
      const equals = part.indexOf('=');
      return equals === -1 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
    }),
  );
  const type = options.get('type') ?? 'bind';
  if (type !== 'bind' && type !== 'cache' && type !== 'tmpfs')
    throw new Error(`mount type "${type}" is not supported`);
  const target = options.get('target') ?? options.get('dst') ?? options.get('destination');
  if (target === undefined) throw new Error('a mount needs a target');
  const place = posix.resolve(workingDir, target);
  const writable = options.has('rw') || options.has('readwrite');
  const readonly = options.has('ro') || options.has('readonly') || (type === 'bind' && !writable);
  return {
    type,
    target: place,
    source: options.get('source') ?? options.get('src') ?? '',
    from: options.get('from'),
    id: options.get('id') ?? place,
    readonly,
  };
}

/** The mount as the runtime makes it. `tree` is where a bind comes from; caches are folders that stay. */
export function toRunMount(request: RunMountRequest, tree: FileTree | undefined, caches: string): RunMount {
  const { type, target, source, id, readonly } = request;
  if (type === 'tmpfs') return { destination: target, type: 'tmpfs', source: 'tmpfs', readonly: false };
  if (type === 'cache') {
    const folder = join(caches, createHash('sha256').update(id).digest('hex').slice(0, 32));
    mkdirSync(folder, { recursive: true });
    return { destination: target, type: 'bind', source: folder, readonly };
  }
  // Writes to a bind must not reach the sender: there is no place to keep them.
  return { destination: target, type: 'bind', source: scopedPath(tree?.root ?? '', source), readonly: true };
}
