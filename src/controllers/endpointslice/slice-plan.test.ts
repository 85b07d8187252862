import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as assertProperty, integer, nat, property, uniqueArray } from 'fast-check';
import type { discoveryV1 } from '#api';
import { planSlices, type SlicePlan, type WantedSlice } from './slice-plan.ts';

type Endpoint = discoveryV1.Endpoint;
type Slice = discoveryV1.EndpointSlice;

const PORTS: readonly discoveryV1.EndpointPort[] = [{ name: 'http', port: 8080, protocol: 'TCP' }];
const MAX = 100;

const endpoint = (id: number, ready = true): Endpoint => ({
  addresses: [`10.0.${id >> 8}.${id & 255}`],
  conditions: { ready },
  targetRef: { kind: 'Pod', uid: `pod-${id}` },
});
const endpoints = (from: number, to: number): readonly Endpoint[] =>
  Array.from({ length: to - from }, (_, i) => endpoint(from + i));

const slice = (name: string, held: readonly Endpoint[], ports = PORTS): Slice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, uid: name, resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
  addressType: 'IPv4',
  ports,
  endpoints: held,
});
const wanted = (held: readonly Endpoint[], ports = PORTS): WantedSlice => ({
  addressType: 'IPv4',
  ports,
  endpoints: held,
});

const summary = ({ create, update, remove }: SlicePlan) => ({
  create: create.map((one) => one.endpoints?.length),
  update: Object.fromEntries(update.map((one) => [one.metadata.name, one.endpoints?.length])),
  remove: remove.map((one) => one.metadata.name),
});
const plan = (existing: readonly Slice[], groups: readonly WantedSlice[]) =>
  planSlices({ existing, wanted: groups, maxPerSlice: MAX });

test('new endpoints are cut into slices of the largest size', () => {
  assert.deepEqual(summary(plan([], [wanted(endpoints(0, 250))])), {
    create: [100, 100, 50],
    update: {},
    remove: [],
  });
});

test('nothing is written when nothing changed', () => {
  assert.deepEqual(summary(plan([slice('a', endpoints(0, 40))], [wanted(endpoints(0, 40))])), {
    create: [],
    update: {},
    remove: [],
  });
});

test('new endpoints fill a slice that is written anyway before one that is not', () => {
  const existing = [slice('a', endpoints(0, 100)), slice('b', endpoints(100, 160))];
  const next = wanted([...endpoints(30, 160), ...endpoints(200, 250)]);
  assert.deepEqual(summary(plan(existing, [next])), { create: [], update: { a: 100, b: 80 }, remove: [] });
});

test('endpoints that no slice has room for make a new one, and the others stay as they are', () => {
  const existing = [slice('a', endpoints(0, 100)), slice('b', endpoints(100, 160))];
  const next = wanted([...endpoints(0, 160), ...endpoints(200, 250)]);
  assert.deepEqual(summary(plan(existing, [next])), { create: [50], update: {}, remove: [] });
});

test('an endpoint whose readiness changed is written into the slice it is in', () => {
  const existing = [slice('a', endpoints(0, 2)), slice('b', endpoints(2, 4))];
  const result = plan(existing, [wanted([...endpoints(0, 3), endpoint(3, false)])]);
  assert.deepEqual(summary(result), { create: [], update: { b: 2 }, remove: [] });
  assert.equal(result.update[0]?.endpoints?.[1]?.conditions?.ready, false);
});

test('of slices that become empty one stays, so that a Service is known to have no endpoints', () => {
  const existing = [slice('a', endpoints(0, 2)), slice('b', endpoints(2, 4))];
  assert.deepEqual(summary(plan(existing, [wanted([])])), { create: [], update: { a: 0 }, remove: ['b'] });
  assert.deepEqual(summary(plan([], [wanted([], [])])), { create: [0], update: {}, remove: [] });
  assert.deepEqual(summary(plan([slice('a', [], [])], [wanted([], [])])), {
    create: [],
    update: {},
    remove: [],
  });
});

test('slices of ports that no endpoint has any more go', () => {
  const existing = [slice('old', endpoints(0, 3), [{ name: 'http', port: 80, protocol: 'TCP' }])];
  assert.deepEqual(summary(plan(existing, [wanted(endpoints(0, 3))])), {
    create: [3],
    update: {},
    remove: ['old'],
  });
});

test('after any plan the slices hold exactly the wanted endpoints, each once, none too large', () => {
  const ids = uniqueArray(nat(400), { maxLength: 300 });
  assertProperty(
    property(ids, ids, integer({ min: 1, max: 40 }), (before, after, maxPerSlice) => {
      const held: Slice[] = [];
      for (let i = 0; i < before.length; i += maxPerSlice) {
        held.push(
          slice(
            `s${i}`,
            before.slice(i, i + maxPerSlice).map((id) => endpoint(id)),
          ),
        );
      }
      const result = planSlices({
        existing: held,
        wanted: [wanted(after.map((id) => endpoint(id)))],
        maxPerSlice,
      });
      const written = new Map(result.update.map((one) => [one.metadata.name, one.endpoints]));
      const removed = new Set(result.remove.map((one) => one.metadata.name));
      const final = [
        ...held
          .filter((one) => !removed.has(one.metadata.name))
          .map((one) => written.get(one.metadata.name) ?? one.endpoints ?? []),
        ...result.create.map((one) => one.endpoints ?? []),
      ];
      assert.ok(final.length > 0 && final.every((one) => one.length <= maxPerSlice));
      const uids = final.flat().map(({ targetRef }) => targetRef?.uid ?? '');
      assert.deepEqual(uids.toSorted(), after.map((id) => `pod-${id}`).toSorted());
    }),
    { seed: 20260101, numRuns: 200 },
  );
});
