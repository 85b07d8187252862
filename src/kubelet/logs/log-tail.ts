/** The last lines of a log as one text. */
import type { Files } from '#platform';
import { LineSplitter, parseCriLogLine, tailOffset } from './cri-log.ts';

/** At most `lines` lines and `bytes` bytes from the end, without timestamps. */
export async function readLogTail(
  files: Files,
  path: string,
  limit: { readonly lines: number; readonly bytes: number },
): Promise<string> {
  const stat = await files.stat(path);
  if (stat === undefined) throw new Error(`open ${path}: no such file or directory`);
  const read = (offset: number, length: number): Promise<Buffer> => files.readRange(path, offset, length);
  const start = await tailOffset(read, stat.sizeBytes, limit.lines);
  const splitter = new LineSplitter();
  const out: Buffer[] = [];
  for (const raw of splitter.push(await read(start, stat.sizeBytes - start))) {
    const line = parseCriLogLine(raw);
    if (line === undefined) continue;
    out.push(line.text);
    if (!line.partial) out.push(Buffer.from('\n'));
  }
  return Buffer.concat(out).subarray(-limit.bytes).toString();
}
