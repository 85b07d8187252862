/**
 * The output of a running container, read from its log while the monitor writes it: what attach shows. The log has
 * every byte, in order, with the stream it came on; reading it means that a slow viewer never slows the container,
 * which a connection to the monitor's socket would.
 */
import { closeSync, fstatSync, openSync, readSync, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';

/** One line of a log in the CRI's format: `<time> stdout|stderr F|P <text>`. `F` ends a line, `P` does not. */
const LINE = /^\S+ (stdout|stderr) ([FP]) ?/;

const READ_BYTES = 64 * 1024;

/** Bytes of one log line that are kept waiting for its end; the monitor's own lines are at most 8 KiB or so. */
const LINE_BYTES_MAX = 1024 * 1024;

export type LogStream = 'stdout' | 'stderr';

export class LogFollower {
  readonly #path: string;
  readonly #onOutput: (stream: LogStream, data: Buffer) => void;
  #fd: number;
  #position: number;
  #rest: Buffer = Buffer.alloc(0);
  readonly #watcher: ReturnType<typeof watch>;

  /** From the present end of the log. @throws Node's ENOENT when there is no log. */
  constructor(path: string, onOutput: (stream: LogStream, data: Buffer) => void) {
    this.#path = path;
    this.#onOutput = onOutput;
    this.#fd = openSync(path, 'r');
    this.#position = fstatSync(this.#fd).size;
    // The folder, not the file: a rotated log is a new file of the same name.
    this.#watcher = watch(dirname(path), { persistent: false }, () => this.read());
    this.#watcher.on('error', () => undefined);
  }

  /** Hands on what has been written since. */
  read(): void {
    if (this.#fd === -1) return;
    this.#readFile();
    const current = statSync(this.#path, { throwIfNoEntry: false });
    if (current === undefined || current.ino === fstatSync(this.#fd).ino) return;
    this.#readFile();
    closeSync(this.#fd);
    this.#fd = openSync(this.#path, 'r');
    this.#position = 0;
    this.#readFile();
  }

  #readFile(): void {
    const chunk = Buffer.alloc(READ_BYTES);
    for (;;) {
      const length = readSync(this.#fd, chunk, 0, chunk.length, this.#position);
      if (length === 0) return;
      this.#position += length;
      this.#take(Buffer.concat([this.#rest, chunk.subarray(0, length)]));
    }
  }

  #take(data: Buffer): void {
    let start = 0;
    for (let end = data.indexOf(0x0a); end !== -1; end = data.indexOf(0x0a, start)) {
      this.#line(data.subarray(start, end));
      start = end + 1;
    }
    const rest = data.subarray(start);
    this.#rest = rest.length > LINE_BYTES_MAX ? Buffer.alloc(0) : Buffer.from(rest);
  }

  #line(line: Buffer): void {
    const head = LINE.exec(line.toString('latin1', 0, 64));
    if (head === null) return;
    const text = line.subarray(head[0].length);
    const data = head[2] === 'F' ? Buffer.concat([text, Buffer.from('\n')]) : Buffer.from(text);
    if (data.length > 0) this.#onOutput(head[1] === 'stderr' ? 'stderr' : 'stdout', data);
  }

  close(): void {
    this.#watcher.close();
    if (this.#fd !== -1) closeSync(this.#fd);
    this.#fd = -1;
  }
}
