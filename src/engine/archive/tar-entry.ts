/**
 * Tar as image layers use it: POSIX ustar with pax records, and GNU's long names on the way in.
 *
 * Why not the package `tar-stream`, which the rest of k8ts uses: it reads pax values as text, so that a binary
 * extended attribute (`security.capability`, which is how `ping` may run without root) is lost, and it ignores the
 * owner and time a pax record overrides.
 */
export type TarEntryType = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

export interface TarEntry {
  readonly name: string;
  readonly type: TarEntryType;
  /** Permission bits, setuid, setgid and sticky included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the content that follows; 0 for everything but files. */
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** Of links. */
  readonly linkName: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

export const BLOCK_BYTES = 512;
export const XATTR_RECORD_PREFIX = 'SCHILY.xattr.';

export const TYPE_FLAGS: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

export const paddingOf = (sizeBytes: number): number =>
  (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;

/** Sum of a header's bytes, the checksum field counted as spaces. */
export function headerChecksum(header: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK_BYTES; i++) if (i < 148 || i >= 156) sum += header[i] ?? 0;
  return sum;
}
