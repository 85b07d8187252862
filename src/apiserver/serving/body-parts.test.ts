import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { JoinedParts, PART_BYTES, send, wholeBody } from './body-parts.ts';

const piecesOf = (sizes: readonly number[]): readonly Buffer[] =>
  sizes.map((size, i) => Buffer.alloc(size, 97 + (i % 26)));

const joined = (pieces: readonly Buffer[]): JoinedParts =>
  new JoinedParts(
    pieces.reduce((sum, { length }) => sum + length, 0),
    pieces[Symbol.iterator](),
  );

const SIZES: readonly (readonly number[])[] = [
  [],
  [1],
  [PART_BYTES - 1, 1, 1],
  [PART_BYTES, PART_BYTES],
  [10, PART_BYTES + 1, 10, 3 * PART_BYTES, 0, 7],
  Array.from({ length: 4_000 }, (_, i) => (i * 37) % 900),
];

test('pieces come out as they went in, in parts of at most the size, or alone when they are larger', () => {
  for (const sizes of SIZES) {
    const pieces = piecesOf(sizes);
    const body = joined(pieces);
    const parts: Buffer[] = [];
    for (let part = body.next(); part !== undefined; part = body.next()) {
      assert.ok(part.length <= PART_BYTES || pieces.includes(part), `${part.length} bytes`);
      parts.push(Buffer.from(part));
    }
    assert.ok(Buffer.concat(parts).equals(Buffer.concat(pieces)), sizes.slice(0, 6).join());
    assert.ok(parts.length <= Math.ceil(body.length / PART_BYTES) * 2 + 1, `${parts.length} parts`);
    assert.ok(wholeBody(joined(pieces)).equals(Buffer.concat(pieces)));
  }
});

/** Takes a part only when the test says so. */
class SlowReader {
  readonly parts: Buffer[] = [];
  isEnded = false;
  #take: ((error?: Error) => void) | undefined;
  readonly output = new Writable({
    highWaterMark: 1,
    write: (chunk: Buffer, _encoding, callback) => {
      this.parts.push(Buffer.from(chunk));
      this.#take = callback;
    },
    final: (callback) => {
      this.isEnded = true;
      callback();
    },
  });

  async take(): Promise<void> {
    const take = this.#take;
    this.#take = undefined;
    take?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const [what, bodyOf] of [
  ['bytes', (pieces: readonly Buffer[]) => Buffer.concat(pieces)],
  ['parts', joined],
] as const) {
  test(`${what}: the next part is made when the one before has been taken`, async () => {
    const pieces = piecesOf(Array.from({ length: 2_000 }, () => 500));
    const reader = new SlowReader();
    send(reader.output, bodyOf(pieces));
    assert.equal(reader.parts.length, 1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(reader.parts.length, 1, 'nothing is made ahead');
    for (let i = 0; i < 6; i++) await reader.take();
    assert.ok(reader.isEnded);
    assert.ok(Buffer.concat(reader.parts).equals(Buffer.concat(pieces)));
  });
}

test('when the client goes away nothing more is made', async () => {
  const pieces = piecesOf(Array.from({ length: 2_000 }, () => 500));
  const reader = new SlowReader();
  reader.output.on('error', () => undefined);
  const body = joined(pieces);
  let made = 0;
  send(reader.output, {
    length: body.length,
    next: () => {
      made++;
      return body.next();
    },
  });
  reader.output.destroy(new Error('gone'));
  await reader.take();
  await reader.take();
  assert.equal(made, 1);
});

test('a small body is one part, and none is none: both end the output at once', async () => {
  for (const sizes of [[30], [10, 20], []]) {
    const pieces = piecesOf(sizes);
    for (const body of [Buffer.concat(pieces), joined(pieces)]) {
      const reader = new SlowReader();
      send(reader.output, body);
      assert.equal(reader.output.writableEnded, true);
      await reader.take();
      assert.ok(reader.isEnded);
      assert.deepEqual(reader.parts, sizes.length === 0 ? [] : [Buffer.concat(pieces)]);
    }
  }
});
