import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { coreV1 } from '#api';
import { silentLogger } from '#platform';
import { API_SERVER_ALONE, startCluster, type TestCluster, unavailable } from '#testing';
import { createEventRecorder, type EventRecorder } from './event-recorder.ts';
import { resources } from './resources.ts';

let api: TestCluster;
let events: EventRecorder;
beforeEach(async () => {
  api = await startCluster(API_SERVER_ALONE);
  const { client, clock, random } = api;
  events = createEventRecorder({
    client,
    component: 'kubelet',
    host: 'node-1',
    clock,
    random,
    logger: silentLogger,
  });
});
afterEach(async () => {
  events.stop();
  await api.stop();
});

const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default', uid: 'u-1' } };

async function written(): Promise<readonly coreV1.Event[]> {
  await api.clock.settle();
  return (await api.client.resource(resources.events).list()).items;
}

test('an event names its object, its source and its time', async () => {
  events.event(POD, 'Normal', 'Started', 'Container started');
  const [event, ...others] = await written();
  assert.deepEqual(others, []);
  assert.match(event?.metadata.name ?? '', /^web\.[0-9a-f]{16}$/);
  assert.deepEqual(event?.involvedObject, {
    kind: 'Pod',
    namespace: 'default',
    name: 'web',
    uid: 'u-1',
    apiVersion: 'v1',
  });
  assert.deepEqual(event.source, { component: 'kubelet', host: 'node-1' });
  assert.deepEqual(
    [event.type, event.reason, event.message, event.count, event.firstTimestamp, event.lastTimestamp],
    ['Normal', 'Started', 'Container started', 1, '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z'],
  );
});

test('the same event again raises the count of the first', async () => {
  events.event(POD, 'Warning', 'BackOff', 'restarting');
  await written();
  await api.clock.advance(10_000);
  events.event(POD, 'Warning', 'BackOff', 'restarting');
  const [event, ...others] = await written();
  assert.deepEqual(others, []);
  assert.equal(event?.count, 2);
  assert.equal(event.firstTimestamp, '2026-01-01T00:00:00Z');
  assert.equal(event.lastTimestamp, '2026-01-01T00:00:10Z');
});

test('events that differ only in their message become one after the ninth', async () => {
  for (let i = 1; i <= 12; i++) events.event(POD, 'Warning', 'Failed', `attempt ${i}`);
  const found = await written();
  assert.equal(found.length, 10);
  const combined = found.filter(({ message }) => message?.startsWith('(combined from similar events): '));
  assert.deepEqual(
    combined.map(({ message, count }) => [message, count]),
    [['(combined from similar events): attempt 12', 3]],
  );
});

test('an object that never stops talking is cut off, and heard again later', async () => {
  for (let i = 0; i < 40; i++) events.event(POD, 'Normal', `Reason${i}`, 'x');
  assert.equal((await written()).length, 25);
  await api.clock.advance(300_000);
  events.event(POD, 'Normal', 'Later', 'x');
  events.event(POD, 'Normal', 'TooSoon', 'x');
  const reasons = (await written()).map(({ reason }) => reason);
  assert.ok(reasons.includes('Later') && !reasons.includes('TooSoon'));
});

test('an event whose first was deleted is told anew', async () => {
  events.event(POD, 'Normal', 'Pulled', 'image');
  const [first] = await written();
  await api.client.resource(resources.events, 'default').delete(first?.metadata.name ?? '');
  events.event(POD, 'Normal', 'Pulled', 'image');
  const [second] = await written();
  assert.equal(second?.count, 1);
  assert.notEqual(second.metadata.name, first?.metadata.name);
});

test('events about cluster-scoped objects are in the default namespace, parts of objects are named', async () => {
  events.event({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' } }, 'Normal', 'Starting', 'x');
  events.record(
    { apiVersion: 'v1', kind: 'Pod', name: 'web', namespace: 'default', fieldPath: 'spec.containers{web}' },
    'Normal',
    'Created',
    'y',
  );
  const found = await written();
  assert.deepEqual(
    found.map(({ metadata, involvedObject }) => [metadata.namespace, involvedObject.fieldPath]),
    [
      ['default', undefined],
      ['default', 'spec.containers{web}'],
    ],
  );
});

test('events wait while the API server cannot serve, and are written in order afterwards', async () => {
  const end = api.addFault(unavailable);
  events.event(POD, 'Normal', 'First', 'x');
  events.event(POD, 'Normal', 'Second', 'x');
  await api.clock.advance(15_000);
  end();
  await api.clock.advance(15_000);
  assert.deepEqual(new Set((await written()).map(({ reason }) => reason)), new Set(['First', 'Second']));
});

test('an event that is refused is dropped and the next one written', async () => {
  events.event(
    { ...POD, metadata: { ...POD.metadata, namespace: 'no-such-namespace' } },
    'Normal',
    'Lost',
    'x',
  );
  events.event(POD, 'Normal', 'Kept', 'x');
  assert.deepEqual(
    (await written()).map(({ reason }) => reason),
    ['Kept'],
  );
});
