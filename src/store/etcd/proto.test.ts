import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { answersProgressTruly } from './etcd-version.ts';
import { ProtoReader } from './proto-reader.ts';
import { ProtoWriter } from './proto-writer.ts';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

test('what the writer writes the reader reads, in any nesting and of any size', () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      int64,
      fc.string({ unit: 'grapheme' }),
      fc.uint8Array({ maxLength: 2_000 }),
      fc.integer({ min: 1, max: 200_000 }),
      (number, long, text, bytes, field) => {
        const writer = new ProtoWriter(8);
        writer.bytes(field + 4, bytes);
        writer.message(field + 3, () => {
          writer.string(2, text);
          writer.message(1, () => writer.intEvenIfZero(1, number));
        });
        writer.int64(field + 2, long.toString());
        writer.int(field + 1, number);
        const reader = new ProtoReader(writer.finish());
        if (number !== 0) {
          assert.equal(reader.next(), field + 1);
          assert.equal(reader.int(), number);
        }
        if (long !== 0n) {
          assert.equal(reader.next(), field + 2);
          assert.equal(reader.int64(), long.toString());
        }
        assert.equal(reader.next(), field + 3);
        const outer = reader.message();
        assert.equal(outer.next(), 1);
        const inner = outer.message();
        assert.equal(inner.next(), 1);
        assert.equal(inner.int(), number);
        assert.equal(inner.next(), 0);
        assert.equal(outer.next(), 2);
        assert.equal(outer.string(), text);
        assert.equal(reader.next(), field + 4);
        assert.deepEqual(reader.bytes(), Buffer.from(bytes));
        assert.equal(reader.next(), 0);
      },
    ),
  );
});

test('bytes as the protobuf documentation gives them', () => {
  const writer = new ProtoWriter();
  writer.message(3, () => writer.int(1, 150));
  writer.string(2, 'testing');
  writer.int(1, 150);
  assert.equal(writer.finish().toString('hex'), '089601120774657374696e671a03089601');
});

test('unknown fields of every wire type are skipped', () => {
  const message = Buffer.from('08ffffffffffffffffff011101020304050607081a0361626325010203042807', 'hex');
  const reader = new ProtoReader(message);
  let found = 0;
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 5) found = reader.int();
    else reader.skip();
  }
  assert.equal(found, 7);
  const negative = new ProtoReader(message);
  negative.next();
  assert.equal(negative.int(), -1);
});

test('a message cut short is an error, not an endless loop', () => {
  for (const cut of ['08ff', '1a05616263', '11010203', '0a']) {
    const reader = new ProtoReader(Buffer.from(cut, 'hex'));
    assert.throws(() => {
      for (let field = reader.next(); field > 0; field = reader.next()) reader.skip();
    }, RangeError);
  }
});

test('progress is believed from the releases that answer it truly', () => {
  const trusted = ['3.4.25', '3.4.30', '3.5.8', '3.5.21', '3.6.0', '3.7.0-alpha.0', '4.0.0'];
  const not = ['3.4.23', '3.5.0', '3.5.7', '3.3.10', '2.3.8'];
  assert.deepEqual(
    trusted.filter((version) => !answersProgressTruly(version)),
    [],
  );
  assert.deepEqual(not.filter(answersProgressTruly), []);
});
