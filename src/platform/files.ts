export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'socket' | 'fifo' | 'block' | 'char';
  readonly sizeBytes: number;
  /** Permission bits only, e.g. 0o644. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: number;
}

/** The file operations that volumes, logs and configuration need. Paths are absolute; errors are Node's (`code: 'ENOENT'`). */
export interface Files {
  readFile(path: string): Promise<Buffer>;
  /** Up to `length` bytes from `offset`; fewer when the file ends before. For logs, which grow and are large. */
  readRange(path: string, offset: number, length: number): Promise<Buffer>;
  /** Whole content, in place. For a reader that must never see half a file use `replaceFile`. */
  writeFile(path: string, data: Uint8Array | string, options?: { readonly mode?: number }): Promise<void>;
  /** Writes a sibling, syncs it to disk, renames it over `path`. */
  replaceFile(path: string, data: Uint8Array | string, options?: { readonly mode?: number }): Promise<void>;
  mkdir(path: string, options?: { readonly recursive?: boolean; readonly mode?: number }): Promise<void>;
  /** Recursive; a missing path is fine. Never crosses into a mount: unmount first. */
  remove(path: string): Promise<void>;
  /** An empty folder; a cgroup counts as one. A missing path is fine. */
  rmdir(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readlink(path: string): Promise<string>;
  list(path: string): Promise<readonly string[]>;
  /** Follows symlinks unless `follow` is false; undefined when nothing is there. */
  stat(path: string, options?: { readonly follow?: boolean }): Promise<FileStat | undefined>;
  chmod(path: string, mode: number): Promise<void>;
  chown(path: string, uid: number, gid: number): Promise<void>;
  /** Calls back on any change below `path` until closed; may call more often than needed, never less. */
  watch(path: string, onChange: () => void): { close(): void };
}
