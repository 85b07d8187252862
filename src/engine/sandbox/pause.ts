/**
 * The first process of a pod that shares one PID namespace: it does nothing but adopt and bury what the containers
 * leave behind. As a program it is 170 bytes: ignore SIGCHLD (the kernel then buries children by itself), wait for
 * ever. Without sharing a pod needs no such process.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RuntimeError } from '#cri';

const LOAD_ADDRESS = 0x400000;
const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const CODE_OFFSET = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES;

/** x86-64: rt_sigaction(SIGCHLD, {SIG_IGN}, 0, 8); for (;;) pause(); */
const CODE_X64 = Buffer.from(
  [
    'b80d000000', // mov eax, 13      rt_sigaction
    'bf11000000', // mov edi, 17      SIGCHLD
    '488d3517000000', // lea rsi, [rip+23]  the action below
    '31d2', // xor edx, edx
    '41ba08000000', // mov r10d, 8
    '0f05', // syscall
    'b822000000', // mov eax, 34      pause
    '0f05', // syscall
    'ebf7', // jmp to the mov before
    '90909090', // padding
  ].join(''),
  'hex',
);

/** struct kernel_sigaction { handler = SIG_IGN, flags, restorer, mask }. */
const ACTION = Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(24)]);

/** A static program of one segment. */
function elf(code: Buffer): Buffer {
  const header = Buffer.alloc(CODE_OFFSET);
  header.write('7f454c46020101', 0, 'hex');
  header.writeUInt16LE(2, 16); // an executable
  header.writeUInt16LE(62, 18); // for x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS + CODE_OFFSET), 24);
  header.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 32);
  header.writeUInt16LE(ELF_HEADER_BYTES, 52);
  header.writeUInt16LE(PROGRAM_HEADER_BYTES, 54);
  header.writeUInt16LE(1, 56);
  const size = BigInt(CODE_OFFSET + code.length);
  header.writeUInt32LE(1, 64); // load
  header.writeUInt32LE(5, 68); // readable, executable
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 80);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 88);
  header.writeBigUInt64LE(size, 96);
  header.writeBigUInt64LE(size, 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, code]);
}

/** Makes a root filesystem with nothing but `/pause` and mount points. @throws RuntimeError on other machines. */
export function writePauseRootfs(rootfs: string, architecture: string = process.arch): void {
  if (architecture !== 'x64') {
    throw new RuntimeError(
      'UNAVAILABLE',
      `sharing a PID namespace is only built for x64, this is ${architecture}`,
    );
  }
  for (const folder of ['proc', 'dev', 'sys']) mkdirSync(join(rootfs, folder), { recursive: true });
  const path = join(rootfs, 'pause');
  writeFileSync(path, elf(Buffer.concat([CODE_X64, ACTION])));
  chmodSync(path, 0o755);
}
