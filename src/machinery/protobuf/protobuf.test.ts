import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { listOf, mapOf, scalar, struct, text, withField } from '../schema-notation.ts';
import type { FieldSchema, Schema } from '../schema.ts';
import { compareUtf8 } from './byte-order.ts';
import {
  decodeProtobuf,
  decodeProtobufMessage,
  decodeProtobufObject,
  encodeProtobuf,
  encodeProtobufList,
  encodeProtobufMessage,
  encodeProtobufWatchEvent,
} from './envelope.ts';

const at = (protoNumber: number, schema: Schema, more: Partial<FieldSchema> = {}) =>
  withField(schema, { protoNumber, ...more });
const pointer = { pointer: true };

const source = [{ number: 2, typeName: 'x.Source' }];
const schema = struct('x.Thing', {
  kind: text,
  apiVersion: text,
  name: at(1, text),
  count: at(3, scalar('int64'), pointer),
  data: at(4, mapOf(scalar('bytes'))),
  items: at(5, listOf(text)),
  when: at(6, scalar('time')),
  exact: at(7, scalar('microtime'), pointer),
  limit: at(8, scalar('quantity'), pointer),
  target: at(9, scalar('int-or-string'), pointer),
  wait: at(10, scalar('duration'), pointer),
  raw: at(11, { kind: 'any', wire: 'raw-extension' }, pointer),
  ratio: at(12, scalar('float64'), pointer),
  extra: at(13, mapOf(listOf(text, { protoWrapped: true }))),
  path: at(1, text, { protoInline: source }),
  readOnly: at(2, scalar('boolean'), { protoInline: source }),
});

const encode = (message: object): string => encodeProtobufMessage(schema, message).toString('hex');
const roundTrip = (message: object): object =>
  decodeProtobufMessage(schema, encodeProtobufMessage(schema, message));

/** name, the embedded source (path and readOnly) and the time: no pointers, so always there. */
const always = (name = '0a00', inline = '12040a001000', time = '3200'): string => name + inline + time;

test('what is not a pointer is written even when absent, embedded structs as messages', () => {
  assert.equal(encode({}), always());
  assert.equal(encode({ path: 'p', readOnly: true }), always('0a00', '12050a01701001'));
});

test('the forms of values on the wire', () => {
  assert.equal(encode({ name: 'é' }), always('0a02c3a9'));
  assert.equal(encode({ count: 300 }), '0a0012040a00100018ac023200');
  assert.equal(encode({ count: -1 }), '0a0012040a00100018ffffffffffffffffff013200');
  assert.equal(encode({ when: '1970-01-01T00:00:01Z' }), always('0a00', '12040a001000', '320408011000'));
  assert.equal(encode({ target: '10%' }), `${always()}4a09080110001a03313025`);
  assert.equal(encode({ target: 5 }), `${always()}4a06080010051a00`);
  assert.equal(encode({ wait: '1ns' }), `${always()}52020801`);
  assert.equal(encode({ limit: '1Gi' }), `${always()}42050a03314769`);
  assert.equal(encode({ raw: { a: 1 } }), `${always()}5a090a077b2261223a317d`);
  assert.equal(encode({ ratio: 1.5 }), `${always()}61000000000000f83f`);
  assert.equal(encode({ extra: { k: ['a', 'b'] } }), `${always()}6a0b0a016b12060a01610a0162`);
});

test('map keys are sorted by their bytes', () => {
  assert.equal(encode({ data: { b: 'YQ==', a: '' } }), '0a0012040a00100022050a0161120022060a01621201613200');
  const keys = ['\u{1F600}', '\uFFFD', 'a', '\u{E000}', 'ab'];
  const byBytes = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(keys.toSorted(compareUtf8), byBytes);
});

test('integers past 2^53 keep within 64 bits', () => {
  const decoded = decodeProtobufMessage(schema, Buffer.from('18ffffffffffffffff7f', 'hex')) as {
    count: number;
  };
  assert.ok(BigInt(decoded.count) < 2n ** 63n);
  assert.equal(encode({ count: 2 ** 63 }), '0a0012040a00100018ffffffffffffffff7f3200');
  assert.equal((roundTrip({ count: -(2 ** 53) }) as { count: number }).count, -(2 ** 53));
});

const secondsText = fc
  .integer({ min: 0, max: 4_000_000_000 })
  .map((seconds) => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'));
const base64 = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64'));
const someText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });
const key = fc.string({ minLength: 1, maxLength: 10 }).filter((k) => k !== '__proto__');
const thing = fc.record(
  {
    name: someText,
    count: fc.maxSafeInteger(),
    data: fc.dictionary(key, base64, { minKeys: 1 }),
    items: fc.array(fc.string(), { minLength: 1 }),
    when: secondsText,
    exact: secondsText.map((value) => value.replace('Z', '.000123Z')),
    limit: fc.nat().map((n) => `${n * 8 + 1}Mi`),
    target: fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.string()),
    raw: fc.jsonValue().filter((value) => value !== null),
    ratio: fc.double({ noNaN: true, noDefaultInfinity: true }),
    extra: fc.dictionary(key, fc.array(fc.string()), { minKeys: 1 }),
    path: someText,
    readOnly: fc.constant(true),
  },
  { requiredKeys: [] },
);

test('what is written reads back the same', () => {
  fc.assert(
    fc.property(thing, (message) => {
      const expected = JSON.parse(JSON.stringify({ ...message, when: message.when ?? null })) as object;
      assert.deepEqual(JSON.parse(JSON.stringify(roundTrip(message))), expected);
    }),
  );
});

test('cut short or damaged bytes are refused, never read past the end', () => {
  fc.assert(
    fc.property(thing, fc.nat(), fc.nat(255), (message, place, byte) => {
      const bytes = encodeProtobufMessage(schema, message);
      bytes[place % bytes.length] = byte;
      try {
        decodeProtobufMessage(schema, bytes.subarray(0, bytes.length - (place % 3)));
      } catch (error) {
        assert.ok(error instanceof Error && /Protobuf/.test(error.name), String(error));
      }
    }),
  );
});

const gvk = { group: '', version: 'v1', kind: 'ConfigMapList' };

test('an object stands in an envelope that names its kind', () => {
  const bytes = encodeProtobuf({ group: 'x', version: 'v1', kind: 'Thing' }, schema, { name: 'a' });
  assert.equal(bytes.toString('latin1').slice(0, 4), 'k8s\0');
  const { apiVersion, kind, raw } = decodeProtobuf(bytes);
  assert.deepEqual([apiVersion, kind, raw.toString('hex')], ['x/v1', 'Thing', always('0a0161')]);
  assert.equal(
    JSON.stringify(decodeProtobufObject(schema, bytes)),
    '{"kind":"Thing","apiVersion":"x/v1","name":"a","when":null}',
  );
  assert.throws(() => decodeProtobuf(Buffer.from('{}')), { name: 'ProtobufError' });
});

test('a list is made of messages that are encoded already', () => {
  // An answer of kube-apiserver 1.36.3: no config maps at resource version 581.
  assert.equal(
    encodeProtobufList(gvk, { resourceVersion: '581' }, []).toString('hex'),
    '6b3873000a130a027631120d436f6e6669674d61704c697374120b0a090a0012033538311a001a002200',
  );
  const items = ['a', 'b'.repeat(300)].map((name) => encodeProtobufMessage(schema, { name }));
  const list = struct('x.ThingList', { kind: text, apiVersion: text, items: at(2, listOf(schema)) });
  const bytes = encodeProtobufList(
    gvk,
    { resourceVersion: '1', continue: 'c', remainingItemCount: 5 },
    items,
  );
  const decoded = decodeProtobufObject(list, bytes) as unknown as { items: readonly { name: string }[] };
  assert.deepEqual(
    decoded.items.map(({ name }) => name),
    ['a', 'b'.repeat(300)],
  );
});

test('a watch frame is its length and a bare event around the whole envelope', () => {
  const frame = encodeProtobufWatchEvent('ADDED', Buffer.from('k8s\0x'));
  assert.equal(frame.toString('hex'), '000000100a05414444454412070a056b38730078');
});
