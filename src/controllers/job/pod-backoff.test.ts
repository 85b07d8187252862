import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { backoffLeftMs, continueRun, finishedAtMs } from './pod-backoff.ts';

const at = (second: number): string => new Date(second * 1000).toISOString();

function endedPod(second: number): coreV1.Pod {
  const finishedAt = at(second);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', uid: 'u', resourceVersion: '1', creationTimestamp: at(0) },
    spec: { containers: [] },
    status: {
      containerStatuses: [
        {
          name: 'c',
          image: 'i',
          imageID: '',
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode: 1, finishedAt } },
        },
      ],
    },
  };
}

test('the pause doubles with every failure in a row, up to ten minutes', () => {
  const left = [0, 1, 2, 3, 7, 50].map((failures) => backoffLeftMs(failures, 0, 0));
  assert.deepEqual(left, [0, 10_000, 20_000, 40_000, 600_000, 600_000]);
  assert.equal(backoffLeftMs(1, 0, 4_000), 6_000);
  assert.equal(backoffLeftMs(1, 0, 60_000), 0);
});

test('a success ends the run of failures, those after it begin a new one', () => {
  assert.deepEqual(continueRun({ failures: 2, lastMs: 1000 }, [], [endedPod(5)]), {
    failures: 3,
    lastMs: 5000,
  });
  assert.deepEqual(continueRun({ failures: 2, lastMs: 1000 }, [endedPod(6)], [endedPod(5)]), { failures: 0 });
  assert.deepEqual(continueRun({ failures: 2, lastMs: 1000 }, [endedPod(6)], [endedPod(5), endedPod(7)]), {
    failures: 1,
    lastMs: 7000,
  });
});

test('a pod without ended containers finished when it became unready, was deleted, or was made', () => {
  const pod = endedPod(9);
  const without = { ...pod, status: {} };
  assert.equal(finishedAtMs(pod), 9000);
  assert.equal(finishedAtMs(without), 0);
  const unready = { type: 'Ready', status: 'False', lastTransitionTime: at(4) };
  assert.equal(finishedAtMs({ ...without, status: { conditions: [unready] } }), 4000);
  const metadata = { ...pod.metadata, deletionTimestamp: at(40), deletionGracePeriodSeconds: 30 };
  assert.equal(finishedAtMs({ ...without, metadata }), 10_000);
});
