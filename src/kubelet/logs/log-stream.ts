/**
 * A container's log as `kubectl logs` asks for it: from the tail or a point in time on, with or without timestamps,
 * followed while the container runs. Following waits for file events; nothing is polled.
 */
import type { Files } from '#platform';
import { type CriLogLine, LineSplitter, parseCriLogLine, tailOffset } from './cri-log.ts';

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** Whole lines from the end; undefined: all. */
  readonly tailLines: number | undefined;
  /** Epoch nanoseconds; lines before are left out. */
  readonly sinceNs: bigint | undefined;
  readonly limitBytes: number | undefined;
  readonly stream: 'stdout' | 'stderr' | undefined;
}

export interface LogSource {
  readonly path: string;
  /** Whether more may be written. */
  readonly running: () => Promise<boolean>;
  /** Calls back when `running` may have changed. Returns the way to stop. */
  readonly onChange: (listener: () => void) => () => void;
}

/** Bytes read at a time: what a slow reader can hold up. */
const CHUNK_BYTES = 64 * 1024;

/** Ends when everything asked for was given, the limit is reached, or the signal aborts. */
export async function* streamLog(
  files: Files,
  source: LogSource,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const printer = new LogPrinter(options);
  const waiter = options.follow ? new ChangeWaiter(files, source, signal) : undefined;
  try {
    let offset = await startOffset(files, source.path, options);
    for (;;) {
      const live = waiter !== undefined && (await source.running());
      waiter?.arm();
      let size = (await files.stat(source.path))?.sizeBytes ?? 0;
      if (size < offset) {
        // Rotated: the rest of the old file first, then the new one from its beginning.
        const rest = await restOfRotated(files, source.path, offset);
        if (rest !== undefined) yield* printer.print(rest);
        offset = 0;
      }
      while (offset < size && !printer.full && !signal.aborted) {
        const data = await files.readRange(source.path, offset, Math.min(CHUNK_BYTES, size - offset));
        if (data.length === 0) break;
        offset += data.length;
        yield* printer.print(data);
        size = (await files.stat(source.path))?.sizeBytes ?? offset;
      }
      if (printer.full || signal.aborted || !live) return;
      await waiter?.changed();
    }
  } finally {
    waiter?.close();
  }
}

async function startOffset(files: Files, path: string, { tailLines }: LogOptions): Promise<number> {
  const stat = await files.stat(path);
  if (stat === undefined || tailLines === undefined) return 0;
  const read = (offset: number, length: number): Promise<Buffer> => files.readRange(path, offset, length);
  return tailOffset(read, stat.sizeBytes, tailLines);
}

/** What was written to the file before it was moved away, from `offset` on. */
async function restOfRotated(files: Files, path: string, offset: number): Promise<Buffer | undefined> {
  const slash = path.lastIndexOf('/');
  const [folder, base] = [path.slice(0, slash), path.slice(slash + 1)];
  const rotated = (await files.list(folder)).filter(
    (name) => name.startsWith(`${base}.`) && !name.endsWith('.gz'),
  );
  const newest = rotated.sort().at(-1);
  if (newest === undefined) return undefined;
  const size = (await files.stat(`${folder}/${newest}`))?.sizeBytes ?? 0;
  return size > offset ? files.readRange(`${folder}/${newest}`, offset, size - offset) : undefined;
}

/** Turns CRI lines into what is asked for. */
class LogPrinter {
  readonly #options: LogOptions;
  readonly #splitter = new LineSplitter();
  #left: number;
  /** The line before was a piece: the next one goes on with it. */
  #continues = false;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  get full(): boolean {
    return this.#left <= 0;
  }

  *print(data: Buffer): Generator<Buffer> {
    const out: Buffer[] = [];
    for (const raw of this.#splitter.push(data)) {
      const line = parseCriLogLine(raw);
      if (line === undefined || this.full) continue;
      const fresh = !this.#continues;
      this.#continues = line.partial;
      if (!this.#wanted(line)) continue;
      this.#take(out, this.#render(line, fresh));
    }
    if (out.length > 0) yield Buffer.concat(out);
  }

  #wanted(line: CriLogLine): boolean {
    const { stream, sinceNs } = this.#options;
    if (stream !== undefined && line.stream !== stream) return false;
    return sinceNs === undefined || parseNanos(line.timestamp) >= sinceNs;
  }

  #render(line: CriLogLine, fresh: boolean): Buffer {
    const stamp = this.#options.timestamps && fresh ? `${fixedNanos(line.timestamp)} ` : '';
    return Buffer.concat([Buffer.from(stamp), line.text, Buffer.from(line.partial ? '' : '\n')]);
  }

  #take(out: Buffer[], piece: Buffer): void {
    const fitting = piece.length > this.#left ? piece.subarray(0, this.#left) : piece;
    this.#left -= fitting.length;
    out.push(fitting);
  }
}

const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/;

/** Epoch nanoseconds of an RFC 3339 time; 0 for anything else. */
export function parseNanos(text: string): bigint {
  const [, seconds, fraction = '', zone] = TIMESTAMP.exec(text) ?? [];
  if (seconds === undefined) return 0n;
  const ms = Date.parse(`${seconds}${zone ?? 'Z'}`);
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
}

/** With nine digits behind the point, so that lines stand in columns. */
function fixedNanos(text: string): string {
  const [, seconds, fraction = '', zone] = TIMESTAMP.exec(text) ?? [];
  return seconds === undefined ? text : `${seconds}.${fraction.padEnd(9, '0').slice(0, 9)}${zone ?? 'Z'}`;
}

/** Lets a reader sleep until the file or its container changes. Armed before looking, so no change is missed. */
class ChangeWaiter {
  readonly #signal: AbortSignal;
  readonly #watcher: { close(): void };
  readonly #unsubscribe: () => void;
  #seen = Promise.withResolvers<void>();
  readonly #wake = (): void => this.#seen.resolve();

  constructor(files: Files, source: LogSource, signal: AbortSignal) {
    this.#signal = signal;
    // The folder, because rotation moves the file away and puts another one in its place.
    this.#watcher = files.watch(source.path.slice(0, source.path.lastIndexOf('/')), this.#wake);
    this.#unsubscribe = source.onChange(this.#wake);
    signal.addEventListener('abort', this.#wake);
  }

  arm(): void {
    this.#seen = Promise.withResolvers<void>();
    if (this.#signal.aborted) this.#seen.resolve();
  }

  changed(): Promise<void> {
    return this.#seen.promise;
  }

  close(): void {
    this.#watcher.close();
    this.#unsubscribe();
    this.#signal.removeEventListener('abort', this.#wake);
  }
}
