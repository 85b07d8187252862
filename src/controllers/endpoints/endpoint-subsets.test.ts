import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { packSubsets, truncateSubsets } from './endpoint-subsets.ts';

const PORTS: readonly coreV1.EndpointPort[] = [{ name: 'http', port: 80, protocol: 'TCP' }];
const entries = (count: number, ready: boolean, ports = PORTS, net = 0) =>
  Array.from({ length: count }, (_, i) => ({
    address: { ip: `10.${net}.${i >> 8}.${i & 255}` },
    ready,
    ports,
  }));

test('addresses with the same ports are one subset, the ready apart from the others', () => {
  const other: readonly coreV1.EndpointPort[] = [{ name: 'http', port: 81, protocol: 'TCP' }];
  assert.deepEqual(
    packSubsets([...entries(1, true, other, 2), ...entries(1, false, PORTS, 1), ...entries(1, true)]),
    [
      { addresses: [{ ip: '10.0.0.0' }], notReadyAddresses: [{ ip: '10.1.0.0' }], ports: PORTS },
      { addresses: [{ ip: '10.2.0.0' }], ports: other },
    ],
  );
});

test('the order of the pods does not matter', () => {
  const forth = entries(5, true);
  assert.deepEqual(packSubsets(forth), packSubsets(forth.toReversed()));
});

test('beyond a thousand addresses the ready ones are kept', () => {
  const { subsets, truncated } = truncateSubsets(
    packSubsets([...entries(900, true), ...entries(300, false, PORTS, 1)]),
  );
  assert.equal(truncated, true);
  assert.equal(subsets[0]?.addresses?.length, 900);
  assert.equal(subsets[0].notReadyAddresses?.length, 100);
});

test('of too many ready ones each subset keeps its share', () => {
  const other: readonly coreV1.EndpointPort[] = [{ name: 'http', port: 81, protocol: 'TCP' }];
  const packed = packSubsets([
    ...entries(900, true),
    ...entries(600, true, other, 1),
    ...entries(5, false, other, 2),
  ]);
  const { subsets } = truncateSubsets(packed);
  assert.deepEqual(
    subsets.map(({ addresses, notReadyAddresses }) => [addresses?.length, notReadyAddresses?.length]),
    [
      [600, undefined],
      [400, undefined],
    ],
  );
});

test('a thousand are left alone', () => {
  const packed = packSubsets(entries(1000, true));
  assert.deepEqual(truncateSubsets(packed), { subsets: packed, truncated: false });
});
