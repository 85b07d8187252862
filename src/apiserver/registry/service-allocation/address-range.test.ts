import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#testing';
import { AddressRange } from './address-range.ts';

test('a range knows its own addresses', () => {
  const range = new AddressRange('10.96.3.7/12');
  assert.equal(range.toString(), '10.96.0.0/12');
  assert.equal(range.first, '10.96.0.1');
  assert.deepEqual(
    ['10.96.0.0', '10.96.0.1', '10.111.255.254', '10.111.255.255', '10.112.0.1', '10.96.0.01', 'x'].map((a) =>
      range.contains(a),
    ),
    [false, true, true, false, false, false, false],
  );
  assert.throws(() => new AddressRange('fd00::/108'), RangeError);
});

test('every address of a range is given out once, the lower part last', () => {
  const range = new AddressRange('10.0.0.0/24');
  const taken = new Set<string>();
  const order: string[] = [];
  const random = seededRandom(7);
  for (;;) {
    const address = range.pick(random, (a) => taken.has(a));
    if (address === undefined) break;
    assert.ok(!taken.has(address));
    taken.add(address);
    order.push(address);
  }
  assert.equal(order.length, 254);
  const last = order.slice(-16).map((a) => Number(a.split('.')[3]));
  assert.deepEqual(
    last.sort((a, b) => a - b),
    Array.from({ length: 16 }, (_, i) => i + 1),
  );
});
