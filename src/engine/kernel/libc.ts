/**
 * The handful of Linux calls that Node has no function for, made directly through `node:ffi`.
 *
 * Why not programs: `mount`, `nsenter`, `mknod` and `ip netns` each cost a child process (2 ms of blocked main
 * thread and more of CPU), a pod start needs half a dozen of them, and a layer has thousands of extended attributes
 * and device nodes. Everything here is synchronous and takes microseconds.
 *
 * `errno` is read by a second call right after the first. Nothing runs in between on this thread, but the number is
 * for people: no decision rests on telling two failures apart except where a function says so.
 */
import { getSystemErrorName } from 'node:util';
import type * as ffiModule from 'node:ffi';

type Ffi = typeof ffiModule;

const DEFINITIONS = {
  __errno_location: { return: 'pointer', arguments: [] },
  mount: { return: 'int32', arguments: ['string', 'string', 'string', 'uint64', 'string'] },
  umount2: { return: 'int32', arguments: ['string', 'int32'] },
  unshare: { return: 'int32', arguments: ['int32'] },
  setns: { return: 'int32', arguments: ['int32', 'int32'] },
  sethostname: { return: 'int32', arguments: ['string', 'uint64'] },
  mknod: { return: 'int32', arguments: ['string', 'uint32', 'uint64'] },
  mkfifo: { return: 'int32', arguments: ['string', 'uint32'] },
  lsetxattr: { return: 'int32', arguments: ['string', 'string', 'buffer', 'uint64', 'int32'] },
  lgetxattr: { return: 'int64', arguments: ['string', 'string', 'buffer', 'uint64'] },
  llistxattr: { return: 'int64', arguments: ['string', 'buffer', 'uint64'] },
  socket: { return: 'int32', arguments: ['int32', 'int32', 'int32'] },
  connect: { return: 'int32', arguments: ['int32', 'buffer', 'uint32'] },
  shutdown: { return: 'int32', arguments: ['int32', 'int32'] },
  send: { return: 'int64', arguments: ['int32', 'buffer', 'uint64', 'int32'] },
  ioctl: { return: 'int32', arguments: ['int32', 'uint64', 'buffer'] },
  posix_openpt: { return: 'int32', arguments: ['int32'] },
  grantpt: { return: 'int32', arguments: ['int32'] },
  unlockpt: { return: 'int32', arguments: ['int32'] },
  ptsname_r: { return: 'int32', arguments: ['int32', 'buffer', 'uint64'] },
} as const;

type Functions = ReturnType<typeof loadLibrary>['functions'];

function loadLibrary(ffi: Ffi) {
  return ffi.dlopen('libc.so.6', DEFINITIONS);
}

let loaded: { readonly ffi: Ffi; readonly functions: Functions } | undefined;

/** Users cannot do anything about our use of an experimental module: its warning is not for them. */
function quietly<T>(load: () => T): T {
  const shadow = { value: () => undefined, configurable: true, writable: true };
  const own = Object.getOwnPropertyDescriptor(process, 'emitWarning');
  Object.defineProperty(process, 'emitWarning', shadow);
  try {
    return load();
  } finally {
    if (own === undefined) Reflect.deleteProperty(process, 'emitWarning');
    else Object.defineProperty(process, 'emitWarning', own);
  }
}

function library(): { readonly ffi: Ffi; readonly functions: Functions } {
  if (loaded !== undefined) return loaded;
  // Not an import: the rest of the engine loads, and says the sentence below, on any Node.
  const ffi = quietly(() => process.getBuiltinModule('node:ffi') as Ffi | undefined);
  if (ffi === undefined) {
    throw new Error(
      `the container engine needs Node.js 26.1 or newer (node:ffi), this is ${process.version}`,
    );
  }
  loaded = { ffi, functions: loadLibrary(ffi).functions };
  return loaded;
}

/** A failed system call; `code` is the symbolic errno (`EBUSY`), as on Node's own errors. */
export class SystemCallError extends Error {
  readonly code: string;
  constructor(call: string, subject: string, errno: number) {
    const code = errno > 0 ? getSystemErrorName(-errno) : 'EUNKNOWN';
    super(`${call} ${subject}: ${code}`);
    this.name = 'SystemCallError';
    this.code = code;
  }
}

export const errorCode = (e: unknown): string | undefined => (e as NodeJS.ErrnoException | undefined)?.code;

function failure(call: string, subject: string): SystemCallError {
  const { ffi, functions } = library();
  return new SystemCallError(call, subject, ffi.getInt32(functions.__errno_location(), 0));
}

/** Calls, and throws when the result is negative. */
function checked<T extends number | bigint>(name: string, subject: string, call: (libc: Functions) => T): T {
  const result = call(library().functions);
  if (result < 0) throw failure(name, subject);
  return result;
}

/** @throws an error naming what is missing when this Node cannot make system calls. */
export function assertSystemCallsWork(): void {
  library();
}

/** Flags of mount(2). */
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_REMOUNT = 32;
export const MS_BIND = 4096;
export const MS_REC = 16384;
export const MS_PRIVATE = 1 << 18;

export function mount(source: string, target: string, type: string, flags: number, data: string): void {
  checked('mount', `${type || 'bind'} ${source} on ${target}`, (c) =>
    c.mount(source, target, type, BigInt(flags), data),
  );
}

const MNT_DETACH = 2;

/** Takes the top mount at `target` away, at once for new users even while busy. False when nothing is mounted there. */
export function unmount(target: string): boolean {
  const { functions } = library();
  if (functions.umount2(target, MNT_DETACH) === 0) return true;
  const error = failure('umount', target);
  if (error.code === 'EINVAL' || error.code === 'ENOENT') return false;
  throw error;
}

export const CLONE_NEWUTS = 0x04000000;
export const CLONE_NEWIPC = 0x08000000;
export const CLONE_NEWNET = 0x40000000;

export function unshare(flags: number): void {
  checked('unshare', `0x${flags.toString(16)}`, (c) => c.unshare(flags));
}

export function setns(fd: number, type: number): void {
  checked('setns', `0x${type.toString(16)}`, (c) => c.setns(fd, type));
}

export function setHostname(name: string): void {
  checked('sethostname', name, (c) => c.sethostname(name, BigInt(Buffer.byteLength(name))));
}

export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;

/** The kernel's 64-bit encoding of a device number. */
export function deviceNumber(major: number, minor: number): bigint {
  const [a, b] = [BigInt(major), BigInt(minor)];
  return ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((b & 0xffffff00n) << 12n) | (b & 0xffn);
}

/** The way back from `deviceNumber`, for `Stats.rdev`. */
export function deviceParts(device: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((device >> 32n) & 0xfffff000n) | ((device >> 8n) & 0xfffn)),
    minor: Number(((device >> 12n) & 0xffffff00n) | (device & 0xffn)),
  };
}

export function mknod(path: string, mode: number, device: bigint): void {
  checked('mknod', path, (c) => c.mknod(path, mode, device));
}

export function mkfifo(path: string, mode: number): void {
  checked('mkfifo', path, (c) => c.mkfifo(path, mode));
}

/** Does not follow a symlink at the end of `path`. */
export function setXattr(path: string, name: string, value: Uint8Array): void {
  // An empty buffer has no address; the length says that nothing is read.
  const bytes = value.length === 0 ? Buffer.alloc(1) : Buffer.from(value);
  checked('lsetxattr', `${name} of ${path}`, (c) => c.lsetxattr(path, name, bytes, BigInt(value.length), 0));
}

/** The kernel's own bounds (XATTR_LIST_MAX, XATTR_SIZE_MAX). */
const XATTR_BYTES_MAX = 65_536;

/** Undefined when the attribute is not there or the filesystem has none. */
export function getXattr(path: string, name: string): Buffer | undefined {
  const buffer = Buffer.alloc(XATTR_BYTES_MAX);
  const length = Number(library().functions.lgetxattr(path, name, buffer, BigInt(buffer.length)));
  return length < 0 ? undefined : buffer.subarray(0, length);
}

/** Names of the attributes of `path` itself; empty when the filesystem has none. */
export function listXattrs(path: string): readonly string[] {
  const buffer = Buffer.alloc(XATTR_BYTES_MAX);
  const length = Number(library().functions.llistxattr(path, buffer, BigInt(buffer.length)));
  if (length <= 0) return [];
  return buffer.toString('utf8', 0, length).split('\0').slice(0, -1);
}

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SHUT_RD = 0;
const SHUT_WR = 1;

/** A TCP socket of the calling thread's network namespace, not connected yet. The caller owns the descriptor. */
export function tcpSocket(family: 4 | 6): number {
  const domain = family === 4 ? AF_INET : AF_INET6;
  return checked('socket', 'tcp', (c) => c.socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/** Bytes of `sun_path`, the closing NUL included. */
export const UNIX_PATH_BYTES_MAX = 108;

/** Connects a socket that keeps message boundaries, which Node's `net` cannot. The caller owns the descriptor. */
export function connectSeqpacket(path: string, close: (fd: number) => void): number {
  const fd = checked('socket', 'seqpacket', (c) => c.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const address = Buffer.alloc(2 + UNIX_PATH_BYTES_MAX);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, 2);
  try {
    checked('connect', path, (c) => c.connect(fd, address, 2 + Buffer.byteLength(path) + 1));
  } catch (e) {
    close(fd);
    throw e;
  }
  return fd;
}

export const shutdownReading = (fd: number): void =>
  void checked('shutdown', 'reading', (c) => c.shutdown(fd, SHUT_RD));
export const shutdownWriting = (fd: number): void =>
  void checked('shutdown', 'writing', (c) => c.shutdown(fd, SHUT_WR));

/** Sends one message; false when the receiver's queue is full. */
export function sendMessage(fd: number, message: Buffer): boolean {
  const { functions } = library();
  if (functions.send(fd, message, BigInt(message.length), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
  const error = failure('send', `on ${fd}`);
  if (error.code === 'EAGAIN') return false;
  throw error;
}

const SIOCGIFFLAGS = 0x8913n;
const SIOCSIFFLAGS = 0x8914n;
const IFF_UP = 1;
const IFREQ_BYTES = 40;
const IFREQ_FLAGS_OFFSET = 16;

/** Brings `lo` of the calling thread's network namespace up. */
export function bringLoopbackUp(close: (fd: number) => void): void {
  const fd = checked('socket', 'for lo', (c) => c.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  try {
    const request = Buffer.alloc(IFREQ_BYTES);
    request.write('lo');
    checked('ioctl', 'SIOCGIFFLAGS lo', (c) => c.ioctl(fd, SIOCGIFFLAGS, request));
    request.writeInt16LE(request.readInt16LE(IFREQ_FLAGS_OFFSET) | IFF_UP, IFREQ_FLAGS_OFFSET);
    checked('ioctl', 'SIOCSIFFLAGS lo', (c) => c.ioctl(fd, SIOCSIFFLAGS, request));
  } finally {
    close(fd);
  }
}

const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_CLOEXEC = 0o2000000;

/** Opens a pseudo terminal: the master's descriptor (the caller's to close) and the path of its other end. */
export function openPseudoTerminal(): { readonly master: number; readonly slavePath: string } {
  const master = checked('posix_openpt', '', (c) => c.posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  checked('grantpt', '', (c) => c.grantpt(master));
  checked('unlockpt', '', (c) => c.unlockpt(master));
  const name = Buffer.alloc(64);
  checked('ptsname', '', (c) => c.ptsname_r(master, name, BigInt(name.length)));
  return { master, slavePath: name.toString('utf8', 0, name.indexOf(0)) };
}

const TIOCSWINSZ = 0x5414n;

export function setTerminalSize(
  master: number,
  size: { readonly width: number; readonly height: number },
): void {
  const window = Buffer.alloc(8);
  window.writeUInt16LE(size.height, 0);
  window.writeUInt16LE(size.width, 2);
  checked('ioctl', 'TIOCSWINSZ', (c) => c.ioctl(master, TIOCSWINSZ, window));
}
