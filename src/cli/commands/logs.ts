import { createReadStream, existsSync, statSync, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, EXIT, layoutFor, requireConfig } from '../context.ts';

/** How far back the end of the file is read to find the last lines. */
const TAIL_BYTES = 1024 * 1024;

/** Offset at which the last `lines` lines begin. */
async function tailOffset(path: string, lines: number): Promise<number> {
  const { size } = statSync(path);
  const from = Math.max(0, size - TAIL_BYTES);
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - from), position: from });
    let at = bytesRead;
    for (let found = 0; at > 0; at--) {
      if (buffer[at - 1] === 0x0a && at !== bytesRead && ++found === lines) break;
    }
    return from + at;
  } finally {
    await file.close();
  }
}

/** Prints the log of one of the cluster's processes; with `follow` until the signal. */
export async function logs(
  name: string,
  role: string,
  options: { readonly follow: boolean; readonly tail: number },
  out: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<void> {
  const layout = layoutFor(name);
  requireConfig(layout);
  const path = join(layout.logs, `${role}.log`);
  if (!['server', 'agent'].includes(role) || !existsSync(path)) {
    throw new CommandError(`there is no log of "${role}": say server or agent`, EXIT.usage);
  }
  let offset = await tailOffset(path, options.tail);
  const print = async (): Promise<void> => {
    for await (const chunk of createReadStream(path, { start: offset }) as AsyncIterable<Buffer>) {
      offset += chunk.length;
      out.write(chunk);
    }
  };
  await print();
  if (!options.follow) return;
  await new Promise<void>((resolve) => {
    let printing: Promise<void> = Promise.resolve();
    const watcher = watch(path, () => {
      printing = printing.then(print);
    });
    signal.addEventListener('abort', () => {
      watcher.close();
      resolve();
    });
  });
}
