import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#testing';
import { createMemoryFiles } from '../simulated/memory-files.ts';
import { parseCriLogLine, tailOffset } from './cri-log.ts';
import { type LogOptions, parseNanos, streamLog } from './log-stream.ts';
import { readLogTail } from './log-tail.ts';

const PATH = '/logs/app/0.log';
const ALL: LogOptions = {
  follow: false,
  timestamps: false,
  tailLines: undefined,
  sinceNs: undefined,
  limitBytes: undefined,
  stream: undefined,
};
const line = (second: number, stream: string, tag: string, text: string): string =>
  `2026-01-01T00:00:0${second}.5Z ${stream} ${tag} ${text}\n`;
const LOG = [
  line(1, 'stdout', 'F', 'one'),
  line(2, 'stderr', 'F', 'two'),
  line(3, 'stdout', 'P', 'thr'),
  line(3, 'stdout', 'F', 'ee'),
  line(4, 'stdout', 'F', 'four'),
].join('');

async function setUp(text = LOG) {
  const files = createMemoryFiles(new VirtualClock());
  await files.mkdir('/logs/app', { recursive: true });
  await files.writeFile(PATH, text);
  let running = true;
  const listeners = new Set<() => void>();
  const source = {
    path: PATH,
    running: async () => running,
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const end = (): void => {
    running = false;
    for (const listener of listeners) listener();
  };
  const read = async (options: Partial<LogOptions> = {}): Promise<string> => {
    const out: Buffer[] = [];
    for await (const piece of streamLog(
      files,
      source,
      { ...ALL, ...options },
      new AbortController().signal,
    )) {
      out.push(piece);
    }
    return Buffer.concat(out).toString();
  };
  return { files, source, end, read };
}

test('The whole log is given with its pieces joined', async () => {
  const { read } = await setUp();
  assert.equal(await read(), 'one\ntwo\nthree\nfour\n');
});

test('The tail counts whole lines, pieces or not', async () => {
  const { read } = await setUp();
  assert.equal(await read({ tailLines: 2 }), 'three\nfour\n');
  assert.equal(await read({ tailLines: 0 }), '');
  assert.equal(await read({ tailLines: 99 }), 'one\ntwo\nthree\nfour\n');
});

test('Timestamps stand before lines, not before pieces', async () => {
  const { read } = await setUp();
  assert.equal(
    await read({ timestamps: true, tailLines: 2 }),
    '2026-01-01T00:00:03.500000000Z three\n2026-01-01T00:00:04.500000000Z four\n',
  );
});

test('Lines can be chosen by time, by stream and by size', async () => {
  const { read } = await setUp();
  assert.equal(await read({ sinceNs: parseNanos('2026-01-01T00:00:03Z') }), 'three\nfour\n');
  assert.equal(await read({ stream: 'stderr' }), 'two\n');
  assert.equal(await read({ limitBytes: 6 }), 'one\ntw');
});

test('A followed log goes on while the container runs and ends with it', async () => {
  const { files, source, end } = await setUp();
  const out: string[] = [];
  const log = streamLog(files, source, { ...ALL, follow: true }, new AbortController().signal);
  const take = async (): Promise<void> => {
    const { value } = await log.next();
    out.push(String(value ?? 'the end'));
  };
  await take();
  const next = take();
  await files.writeFile(PATH, LOG + line(5, 'stdout', 'F', 'five'));
  await next;
  const last = take();
  end();
  await last;
  assert.deepEqual(out, ['one\ntwo\nthree\nfour\n', 'five\n', 'the end']);
});

test('A followed log survives rotation without losing a line', async () => {
  const { files, source, end } = await setUp();
  const out: string[] = [];
  const log = streamLog(files, source, { ...ALL, follow: true }, new AbortController().signal);
  out.push(String((await log.next()).value));
  await files.writeFile(PATH, LOG + line(5, 'stdout', 'F', 'last of the old'));
  await files.rename(PATH, `${PATH}.20260101T000000`);
  await files.writeFile(PATH, line(6, 'stdout', 'F', 'first of the new'));
  end();
  for await (const piece of log) out.push(piece.toString());
  assert.equal(out.join(''), 'one\ntwo\nthree\nfour\nlast of the old\nfirst of the new\n');
});

test('A reader that leaves ends the stream', async () => {
  const { files, source } = await setUp();
  const leave = new AbortController();
  const log = streamLog(files, source, { ...ALL, follow: true }, leave.signal);
  await log.next();
  const pending = log.next();
  leave.abort();
  assert.equal((await pending).done, true);
});

test('The tail is found across chunk borders', async () => {
  const many = Array.from({ length: 5000 }, (_, i) => line(1, 'stdout', 'F', `line ${i}`)).join('');
  const data = Buffer.from(many);
  const read = async (offset: number, length: number): Promise<Buffer> =>
    data.subarray(offset, offset + length);
  for (const lines of [1, 2, 1500, 4999]) {
    const tail = data.subarray(await tailOffset(read, data.length, lines)).toString();
    assert.equal(tail.split('\n').length - 1, lines);
    assert.ok(tail.startsWith(`2026-01-01T00:00:01.5Z stdout F line ${5000 - lines}\n`));
  }
  assert.equal(await tailOffset(read, data.length, 5000), 0);
});

test('The last words of a log are cut to so many lines and bytes', async () => {
  const { files } = await setUp();
  assert.equal(await readLogTail(files, PATH, { lines: 2, bytes: 100 }), 'three\nfour\n');
  assert.equal(await readLogTail(files, PATH, { lines: 2, bytes: 5 }), 'four\n');
});

test('Lines that are no CRI log lines are not taken for some', () => {
  assert.equal(parseCriLogLine(Buffer.from('just text')), undefined);
  assert.equal(parseCriLogLine(Buffer.from('2026-01-01T00:00:00Z stdin F x')), undefined);
  assert.equal(parseCriLogLine(Buffer.from('2026-01-01T00:00:00Z stdout F '))?.text.length, 0);
});
