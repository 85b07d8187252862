import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { coreV1, Draft } from '#api';
import {
  createEventRecorder,
  createInformerFactory,
  type EventRecorder,
  type InformerFactory,
  resources,
} from '#client';
import { conflict, type ResourceRequest, type WatchRequest } from '#machinery';
import { silentLogger } from '#platform';
import { API_SERVER_ALONE, startCluster, type TestCluster, unavailable } from '#testing';
import { Scheduler } from './scheduler.ts';

let api: TestCluster;
let informers: InformerFactory;
let events: EventRecorder;
let scheduler: Scheduler;

beforeEach(async () => {
  api = await startCluster(API_SERVER_ALONE);
  await api.client
    .resource(resources.namespaces)
    .create({ metadata: { name: 'default' } })
    .catch(() => undefined);
  await api.client.resource(resources.serviceAccounts, 'default').create({ metadata: { name: 'default' } });
  const client = api.clientFor({ name: 'system:kube-scheduler', groups: ['system:authenticated'] });
  const { clock, random } = api;
  const logger = silentLogger;
  informers = createInformerFactory({ client, clock, random, logger });
  informers.start();
  events = createEventRecorder({ client, component: 'default-scheduler', clock, random, logger });
  scheduler = new Scheduler({ client, informers, events, clock, random, logger });
  await scheduler.start();
});
afterEach(async () => {
  scheduler.stop();
  events.stop();
  await informers.stop();
  await api.stop();
});

const nodes = () => api.client.resource(resources.nodes);
const pods = () => api.client.resource(resources.pods, 'default');
const settle = (): Promise<void> => api.clock.settle();

async function createNode(name: string, cpu = '4', spec: Draft<coreV1.Node>['spec'] = {}): Promise<void> {
  const created = await nodes().create({ metadata: { name }, spec });
  const allocatable = { cpu, memory: '8Gi', pods: '110' };
  await nodes().updateStatus({ ...created, status: { capacity: allocatable, allocatable } });
  // The node lifecycle controller would do this; a new node is tainted until it is ready.
  await nodes().patch(name, 'application/merge-patch+json', { spec: { taints: spec.taints ?? null } });
  await settle();
}

interface Shape {
  readonly cpu?: string;
  readonly priorityClassName?: string;
  readonly spec?: Partial<coreV1.PodSpec>;
}

async function createPod(name: string, shape: Shape = {}): Promise<void> {
  const { cpu = '1', priorityClassName, spec } = shape;
  await pods().create({
    metadata: { name },
    spec: {
      containers: [{ name: 'c', image: 'web', resources: { requests: { cpu } } }],
      ...(priorityClassName === undefined ? {} : { priorityClassName }),
      ...spec,
    },
  });
  await settle();
}

const nodeOf = async (name: string): Promise<string | undefined> => (await pods().get(name)).spec.nodeName;

async function conditionOf(
  name: string,
  type = 'PodScheduled',
): Promise<Partial<coreV1.PodCondition> | undefined> {
  const found = (await pods().get(name)).status.conditions?.find((condition) => condition.type === type);
  if (found === undefined) return undefined;
  const { status, reason, message } = found;
  return {
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
}

async function eventsOf(name: string): Promise<readonly string[]> {
  await events.flush();
  const { items } = await api.client.resource(resources.events, 'default').list();
  return items
    .filter(({ involvedObject }) => involvedObject.name === name)
    .map(({ type, reason, message, count }) => `${type} ${reason} x${count ?? 0}: ${message}`);
}

const removeNow = (name: string): Promise<void> => pods().delete(name, { gracePeriodSeconds: 0 });
const isBinding = (request: ResourceRequest | WatchRequest): boolean =>
  'subresource' in request && request.subresource === 'binding';

test('a pod is bound, and told so', async () => {
  await createNode('a');
  await createPod('p');
  assert.equal(await nodeOf('p'), 'a');
  assert.deepEqual(await conditionOf('p'), { status: 'True' });
  assert.deepEqual(await eventsOf('p'), ['Normal Scheduled x1: Successfully assigned default/p to a']);
});

test('pods of other schedulers are left alone', async () => {
  await createNode('a');
  await createPod('p', { spec: { schedulerName: 'mine' } });
  assert.equal(await nodeOf('p'), undefined);
  assert.equal(await conditionOf('p'), undefined);
});

test('a pod that fits nowhere says why, in an event and in its condition', async () => {
  await createNode('a', '1');
  await createNode('b', '4', { unschedulable: true });
  await createPod('p', { cpu: '2' });
  const message =
    '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable. ' +
    'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
  assert.deepEqual(await conditionOf('p'), { status: 'False', reason: 'Unschedulable', message });
  assert.deepEqual(await eventsOf('p'), [`Warning FailedScheduling x1: ${message}`]);
});

describe('a waiting pod is tried again at once', () => {
  test('when a node comes', async () => {
    await createPod('p');
    assert.deepEqual(await conditionOf('p'), {
      status: 'False',
      reason: 'Unschedulable',
      message: 'no nodes available to schedule pods',
    });
    await createNode('a');
    assert.equal(await nodeOf('p'), 'a');
    assert.deepEqual(await conditionOf('p'), { status: 'True' });
  });

  test('when a taint is removed', async () => {
    await createNode('a', '4', { taints: [{ key: 'k', effect: 'NoSchedule' }] });
    await createPod('p');
    assert.equal(await nodeOf('p'), undefined);
    await nodes().patch('a', 'application/merge-patch+json', { spec: { taints: null } });
    await settle();
    assert.equal(await nodeOf('p'), 'a');
  });

  test('when a pod that took the room is deleted or finishes', async () => {
    await createNode('a', '2');
    for (const name of ['x', 'y', 'p', 'q']) await createPod(name);
    assert.deepEqual([await nodeOf('p'), await nodeOf('q')], [undefined, undefined]);
    await removeNow('x');
    await settle();
    assert.equal(await nodeOf('p'), 'a');
    const finished = await pods().get('y');
    await pods().updateStatus({ ...finished, status: { ...finished.status, phase: 'Succeeded' } });
    await settle();
    assert.equal(await nodeOf('q'), 'a');
  });

  test('when its gates are lifted', async () => {
    await createNode('a');
    await createPod('p', { spec: { schedulingGates: [{ name: 'quota' }] } });
    assert.equal(await nodeOf('p'), undefined);
    await pods().patch('p', 'application/merge-patch+json', { spec: { schedulingGates: [] } });
    await settle();
    assert.equal(await nodeOf('p'), 'a');
  });
});

test('the same failure again does not write the condition again', async () => {
  await createNode('a', '1');
  await createPod('p', { cpu: '2' });
  const before = (await pods().get('p')).metadata.resourceVersion;
  await api.clock.advance(6 * 60_000);
  assert.equal((await pods().get('p')).metadata.resourceVersion, before);
  assert.match((await eventsOf('p'))[0] ?? '', /^Warning FailedScheduling x2: /);
});

test('pods created together do not take the same room', async () => {
  await createNode('a', '2');
  await createNode('b', '2');
  await Promise.all(
    Array.from({ length: 6 }, (_, i) =>
      pods().create({
        metadata: { name: `p${i}` },
        spec: { containers: [{ name: 'c', image: 'web', resources: { requests: { cpu: '1' } } }] },
      }),
    ),
  );
  await settle();
  const placed = await Promise.all(Array.from({ length: 6 }, (_, i) => nodeOf(`p${i}`)));
  const count = (name: string | undefined): number => placed.filter((on) => on === name).length;
  assert.deepEqual([count('a'), count('b'), count(undefined)], [2, 2, 2]);
});

describe('a binding that fails', () => {
  test('is told, frees the room and is tried again after a second', async () => {
    await createNode('a', '1');
    const end = api.addFault((request) => (isBinding(request) ? unavailable() : undefined));
    await createPod('p');
    const message =
      'running Bind plugin "DefaultBinder": the server is currently unable to handle the request';
    assert.deepEqual(await conditionOf('p'), { status: 'False', reason: 'SchedulerError', message });
    end();
    await api.clock.advance(999);
    assert.equal(await nodeOf('p'), undefined);
    await api.clock.advance(1);
    assert.equal(await nodeOf('p'), 'a');
    assert.deepEqual(await eventsOf('p'), [
      `Warning FailedScheduling x1: ${message}`,
      'Normal Scheduled x1: Successfully assigned default/p to a',
    ]);
  });

  test('lets others have the room meanwhile', async () => {
    await createNode('a', '1');
    let failures = 0;
    api.addFault((request) => {
      if (!isBinding(request) || request.name !== 'p') return undefined;
      failures++;
      return unavailable();
    });
    await Promise.all([createPod('p'), createPod('q')]);
    await settle();
    assert.equal(failures, 1);
    assert.equal(await nodeOf('q'), 'a');
  });

  test('because another scheduler was faster is nobody’s problem', async () => {
    await createNode('a', '1');
    await createNode('b', '1', { unschedulable: true });
    let stolen: Promise<unknown> | undefined;
    api.addFault((request, user) => {
      if (stolen !== undefined || !isBinding(request) || user.name !== 'system:kube-scheduler')
        return undefined;
      stolen = pods().createSubresource('p', 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: 'p', namespace: 'default' },
        target: { apiVersion: 'v1', kind: 'Node', name: 'b' },
      });
      return conflict({ group: '', resource: 'pods/binding' }, 'p', 'pod p is already assigned to node "b"');
    });
    await createPod('p');
    await stolen;
    await createPod('q');
    assert.deepEqual([await nodeOf('p'), await nodeOf('q')], ['b', 'a']);
    assert.deepEqual(await conditionOf('p'), { status: 'True' });
  });
});

test('a pod deleted while it is being bound leaves nothing behind', async () => {
  await createNode('a', '1');
  let deleted: Promise<void> | undefined;
  const end = api.addFault((request, user) => {
    if (isBinding(request) && user.name === 'system:kube-scheduler' && request.name === 'p') {
      deleted ??= removeNow('p');
      return unavailable();
    }
    return undefined;
  });
  await createPod('p');
  await deleted;
  await settle();
  end();
  await createPod('q');
  assert.equal(await nodeOf('q'), 'a');
  assert.ok((await eventsOf('q')).every((event) => !event.includes('FailedScheduling')));
});

test('what runs already when the scheduler starts is counted', async () => {
  await createNode('a', '2');
  scheduler.stop();
  await createPod('x', { spec: { nodeName: 'a' } });
  await createPod('p', { cpu: '2' });
  const { client, clock, random } = api;
  scheduler = new Scheduler({ client, informers, events, clock, random, logger: silentLogger });
  await scheduler.start();
  await settle();
  assert.equal(await nodeOf('p'), undefined);
  await removeNow('x');
  await settle();
  assert.equal(await nodeOf('p'), 'a');
});

describe('preemption', () => {
  beforeEach(async () => {
    await api.client.resource(resources.priorityClasses).create({ metadata: { name: 'high' }, value: 1000 });
    await createNode('a', '2');
  });
  /** Its kubelet is done with it. */
  const leave = async (name: string): Promise<void> => {
    await removeNow(name);
    await settle();
  };

  test('evicts, says why, holds the node and binds once the victim is gone', async () => {
    await createPod('low', { cpu: '2' });
    await createPod('urgent', { priorityClassName: 'high' });
    const urgent = await pods().get('urgent');
    assert.equal(urgent.status.nominatedNodeName, 'a');
    assert.deepEqual(await conditionOf('urgent'), {
      status: 'False',
      reason: 'Unschedulable',
      message: '0/1 nodes are available: 1 Insufficient cpu.',
    });
    assert.deepEqual(await conditionOf('low', 'DisruptionTarget'), {
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: 'default-scheduler: preempting to accommodate a higher priority pod',
    });
    const told = await eventsOf('low');
    assert.ok(
      told.includes(`Normal Preempted x1: Preempted by pod ${urgent.metadata.uid} on node a`),
      told.join(),
    );
    assert.ok((await pods().get('low')).metadata.deletionTimestamp !== undefined);
    await leave('low');
    assert.equal(await nodeOf('urgent'), 'a');
    assert.equal((await pods().get('urgent')).status.nominatedNodeName, undefined);
  });

  test('does not let others take what was freed', async () => {
    await createPod('low', { cpu: '2' });
    await createPod('urgent', { cpu: '2', priorityClassName: 'high' });
    await createPod('late', { cpu: '1' });
    await leave('low');
    assert.equal(await nodeOf('urgent'), 'a');
    assert.equal(await nodeOf('late'), undefined);
  });

  test('does not evict more while victims are leaving', async () => {
    await createPod('low-1');
    await createPod('low-2');
    await createPod('urgent', { priorityClassName: 'high' });
    // Tried again, though nothing has changed.
    await api.clock.advance(5 * 60_000);
    const leaving = (await pods().list()).items.filter(
      ({ metadata }) => metadata.deletionTimestamp !== undefined,
    );
    assert.equal(leaving.length, 1);
    assert.match(
      (await conditionOf('urgent'))?.message ?? '',
      /preemption: not eligible due to a terminating pod on the nominated node\.$/,
    );
  });

  test('gives the node up when the pod is deleted', async () => {
    await createPod('low', { cpu: '2' });
    await createPod('urgent', { cpu: '2', priorityClassName: 'high' });
    await leave('low');
    await removeNow('urgent');
    await settle();
    await createPod('late', { cpu: '2' });
    assert.equal(await nodeOf('late'), 'a');
  });

  test('moves on when evicting fails', async () => {
    await createPod('low', { cpu: '2' });
    const end = api.addFault((request, user) =>
      request.verb === 'delete' && user.name === 'system:kube-scheduler' ? unavailable() : undefined,
    );
    await createPod('urgent', { priorityClassName: 'high' });
    assert.equal((await pods().get('low')).metadata.deletionTimestamp, undefined);
    end();
    await api.clock.advance(10_000);
    assert.ok((await pods().get('low')).metadata.deletionTimestamp !== undefined);
  });
});
