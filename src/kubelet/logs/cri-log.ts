/**
 * One line of a container log as CRI runtimes write it: `<RFC 3339 nano> <stdout|stderr> <F|P> <text>`. `P` marks
 * a piece of a longer line, `F` its last piece.
 */
export interface CriLogLine {
  /** As written: RFC 3339 with nanoseconds. */
  readonly timestamp: string;
  readonly stream: 'stdout' | 'stderr';
  readonly partial: boolean;
  readonly text: Buffer;
}

const SPACE = 0x20;
const NEWLINE = 0x0a;

/** Parses one line without its newline; undefined when it is not a CRI log line. */
export function parseCriLogLine(line: Buffer): CriLogLine | undefined {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  if (first < 0 || second < 0) return undefined;
  const third = line.indexOf(SPACE, second + 1);
  const stream = line.toString('latin1', first + 1, second);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const tag = line.toString('latin1', second + 1, third < 0 ? line.length : third);
  return {
    timestamp: line.toString('latin1', 0, first),
    stream,
    partial: tag.split(':')[0] === 'P',
    text: third < 0 ? Buffer.alloc(0) : line.subarray(third + 1),
  };
}

/** Splits a growing file into its whole lines; keeps the unfinished rest for the next piece. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);

  *push(data: Buffer): Generator<Buffer> {
    let all = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    for (let end = all.indexOf(NEWLINE); end >= 0; end = all.indexOf(NEWLINE)) {
      yield all.subarray(0, end);
      all = all.subarray(end + 1);
    }
    this.#rest = all;
  }

  /** What came after the last newline; empties the splitter. */
  rest(): Buffer {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest;
  }
}

/**
 * Byte offset where the last `lines` whole log lines (a line and its pieces count as one) begin.
 * Reads from the end, so a large file costs only its tail.
 */
export async function tailOffset(
  read: (offset: number, length: number) => Promise<Buffer>,
  sizeBytes: number,
  lines: number,
): Promise<number> {
  if (lines === 0) return sizeBytes;
  const chunkBytes = 64 * 1024;
  let found = 0;
  let tail: Buffer = Buffer.alloc(0);
  let start = sizeBytes;
  while (start > 0) {
    const length = Math.min(chunkBytes, start);
    start -= length;
    tail = Buffer.concat([await read(start, length), tail]);
    found = 0;
    // Walk the whole lines of the tail backwards; a line that ends a logical line is tagged F.
    let end = tail.length;
    if (tail[end - 1] === NEWLINE) end--;
    for (;;) {
      const before = tail.lastIndexOf(NEWLINE, end - 1);
      if (before < 0) break;
      const line = parseCriLogLine(tail.subarray(before + 1, end));
      if (line === undefined || !line.partial) {
        found++;
        if (found > lines) return start + end + 1;
      }
      end = before;
    }
    if (start === 0) {
      const line = parseCriLogLine(tail.subarray(0, end));
      if (line === undefined || !line.partial) found++;
      if (found > lines) return end + 1;
    }
  }
  return 0;
}
