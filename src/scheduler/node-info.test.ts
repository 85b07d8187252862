import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { hostPortsOf, NodeInfo } from './node-info.ts';
import { node, pod } from './objects.fixture.ts';

const requests = { cpu: '500m', memory: '1Gi', 'example.com/gpu': '1' };
const antiAffinity: Partial<coreV1.PodSpec> = {
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: {} }],
    },
  },
};

test('adding and removing pods leaves nothing behind', () => {
  const info = new NodeInfo(node('n'));
  info.addPod(pod('a', { requests }));
  info.addPod(pod('b', { requests, spec: antiAffinity }));
  const { milliCpu, scalars } = info.requested;
  assert.deepEqual([info.podCount, milliCpu, scalars.get('example.com/gpu')], [2, 1000, 2]);
  assert.ok(info.hasAffinity && info.hasRequiredAntiAffinity);
  info.removePod('a');
  info.removePod('b');
  info.removePod('never-there');
  assert.deepEqual([info.podCount, info.requested.milliCpu, info.requested.memoryBytes], [0, 0, 0]);
  assert.equal(info.requested.scalars.get('example.com/gpu'), 0);
  assert.equal(info.scoringRequested.milliCpu, 0);
  assert.ok(!info.hasAffinity && !info.hasRequiredAntiAffinity);
});

test('a newer state of a pod replaces the older one', () => {
  const info = new NodeInfo(node('n'));
  info.addPod(pod('a', { requests: { cpu: '1' } }));
  info.addPod(pod('a', { requests: { cpu: '3' } }));
  assert.deepEqual([info.podCount, info.requested.milliCpu], [1, 3000]);
});

test('a clone changes alone', () => {
  const info = new NodeInfo(node('n'));
  info.addPod(pod('a', { requests }));
  const clone = info.clone();
  clone.removePod('a');
  assert.deepEqual([info.podCount, clone.podCount], [1, 0]);
  assert.deepEqual([info.requested.milliCpu, clone.requested.milliCpu], [500, 0]);
});

test('a new size of the node counts at once', () => {
  const info = new NodeInfo(node('n'));
  info.setNode(node('n', { allocatable: { cpu: '16', pods: '5' } }));
  assert.deepEqual([info.allocatable.milliCpu, info.allowedPods], [16_000, 5]);
});

test('host ports collide by port and protocol, and on every address with the wildcard', () => {
  const withPort = (name: string, hostPort: number, hostIP?: string, protocol?: 'UDP'): coreV1.Pod =>
    pod(name, {
      spec: {
        containers: [
          {
            name: 'c',
            ports: [
              {
                containerPort: 80,
                hostPort,
                ...(hostIP === undefined ? {} : { hostIP }),
                ...(protocol === undefined ? {} : { protocol }),
              },
            ],
          },
        ],
      },
    });
  const info = new NodeInfo(node('n'));
  info.addPod(withPort('a', 8080, '127.0.0.1'));
  const collides = (other: coreV1.Pod): boolean => info.holdsAnyOf(hostPortsOf(other));
  assert.ok(collides(withPort('b', 8080)));
  assert.ok(collides(withPort('b', 8080, '127.0.0.1')));
  assert.ok(!collides(withPort('b', 8080, '127.0.0.2')));
  assert.ok(!collides(withPort('b', 8080, undefined, 'UDP')));
  assert.ok(!collides(withPort('b', 8081)));
  info.removePod('a');
  assert.ok(!collides(withPort('b', 8080)));
});

test('ports of sidecars count, those of other init containers do not', () => {
  const ports = [{ containerPort: 1, hostPort: 1 }];
  const initContainers = [
    { name: 'init', ports },
    { name: 'sidecar', restartPolicy: 'Always', ports: [{ containerPort: 2, hostPort: 2 }] },
  ];
  assert.deepEqual(
    hostPortsOf(pod('p', { spec: { initContainers } })).map(({ port }) => port),
    [2],
  );
});
