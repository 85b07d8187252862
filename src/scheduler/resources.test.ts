import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { coreV1 } from '#api';
import { pod } from './objects.fixture.ts';
import { podRequests, podRequestsForScoring, resourcesOf } from './resources.ts';

const MIB = 1024 * 1024;
const container = (cpu: string, memory: string, sidecar = false): coreV1.Container => ({
  name: `${cpu}-${memory}`,
  ...(sidecar ? { restartPolicy: 'Always' } : {}),
  resources: { requests: { cpu, memory } },
});

function demand(spec: Partial<coreV1.PodSpec>, status?: coreV1.PodStatus): readonly [number, number] {
  const { milliCpu, memoryBytes } = podRequests(pod('p', { spec, ...(status ? { status } : {}) }));
  return [milliCpu, memoryBytes / MIB];
}

describe('what a pod asks for', () => {
  const cases: readonly (readonly [string, Partial<coreV1.PodSpec>, readonly [number, number]])[] = [
    [
      'is the sum of its containers',
      { containers: [container('1', '1Gi'), container('500m', '24Mi')] },
      [1500, 1048],
    ],
    [
      'is at least the largest init container',
      {
        containers: [container('1', '10Mi')],
        initContainers: [container('2', '5Mi'), container('1', '20Mi')],
      },
      [2000, 20],
    ],
    [
      'counts sidecars beside the containers',
      { containers: [container('1', '10Mi')], initContainers: [container('200m', '1Mi', true)] },
      [1200, 11],
    ],
    [
      'counts sidecars beside the init containers that start after them, not those before',
      {
        containers: [container('100m', '1Mi')],
        initContainers: [container('3', '1Mi'), container('1', '1Mi', true), container('2500m', '1Mi')],
      },
      [3500, 2],
    ],
    [
      'is what the pod as a whole asks for where it says so',
      { containers: [container('1', '10Mi')], resources: { requests: { cpu: '3' } } },
      [3000, 10],
    ],
    [
      'ignores resources that a pod as a whole cannot ask for',
      { containers: [container('1', '10Mi')], resources: { requests: { 'ephemeral-storage': '1Gi' } } },
      [1000, 10],
    ],
    [
      'includes overhead on top of everything',
      {
        containers: [container('1', '10Mi')],
        resources: { requests: { cpu: '3' } },
        overhead: { cpu: '250m', memory: '6Mi' },
      },
      [3250, 16],
    ],
    ['is nothing for a pod without requests', { containers: [{ name: 'c' }] }, [0, 0]],
  ];
  for (const [title, spec, expected] of cases) test(title, () => assert.deepEqual(demand(spec), expected));

  test('is the larger of wish and reality while a resize is under way', () => {
    const status = (condition?: coreV1.PodCondition): coreV1.PodStatus => ({
      containerStatuses: [
        {
          name: '1-10Mi',
          ready: true,
          restartCount: 0,
          image: '',
          imageID: '',
          resources: { requests: { cpu: '2', memory: '5Mi' } },
          allocatedResources: { cpu: '1500m', memory: '7Mi' },
        },
      ],
      ...(condition === undefined ? {} : { conditions: [condition] }),
    });
    const spec = { containers: [container('1', '10Mi')] };
    assert.deepEqual(demand(spec, status()), [2000, 10]);
    assert.deepEqual(
      demand(spec, status({ type: 'PodResizePending', status: 'True', reason: 'Infeasible' })),
      [2000, 7],
    );
  });

  test('keeps extended resources and huge pages by name', () => {
    const requests = { 'example.com/gpu': '2', 'hugepages-2Mi': '4Mi', 'ephemeral-storage': '1Mi' };
    const { scalars, ephemeralStorageBytes } = podRequests(pod('p', { requests }));
    assert.deepEqual(Object.fromEntries(scalars), { 'example.com/gpu': 2, 'hugepages-2Mi': 4 * MIB });
    assert.equal(ephemeralStorageBytes, MIB);
  });
});

test('scoring assumes a little for each container that asks for nothing', () => {
  const spec = { containers: [{ name: 'a' }, container('1', '10Mi')] };
  const { milliCpu, memoryBytes } = podRequestsForScoring(pod('p', { spec }));
  assert.deepEqual([milliCpu, memoryBytes / MIB], [1100, 210]);
});

test('pods is a count of its own, not a resource', () => {
  const { milliCpu, scalars } = resourcesOf({ cpu: '1900m', pods: '110' });
  assert.equal(milliCpu, 1900);
  assert.equal(scalars.size, 0);
});
