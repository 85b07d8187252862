/** `hostPath`: a path of the node, checked or made by its type. */
import type { coreV1 } from '#api';
import type { Files, FileStat } from '#platform';

const NOT_A: Readonly<Record<string, readonly [FileStat['kind'], string]>> = {
  Directory: ['directory', 'a directory'],
  DirectoryOrCreate: ['directory', 'a directory'],
  File: ['file', 'a file'],
  FileOrCreate: ['file', 'a file'],
  Socket: ['socket', 'a socket file'],
  CharDevice: ['char', 'a character device'],
  BlockDevice: ['block', 'a block device'],
};

/** @throws Error in upstream's words. */
export async function prepareHostPath(files: Files, source: coreV1.HostPathVolumeSource): Promise<void> {
  const { path, type = '' } = source;
  if (type === '') return;
  if ((await files.stat(path)) === undefined) {
    if (type === 'DirectoryOrCreate') await files.mkdir(path, { recursive: true, mode: 0o755 });
    if (type === 'FileOrCreate') await files.writeFile(path, '', { mode: 0o644 });
  }
  const stat = await files.stat(path);
  const [kind, words] = NOT_A[type] ?? ['directory', 'a directory'];
  if (stat?.kind !== kind) throw new Error(`hostPath type check failed: ${path} is not ${words}`);
}
