import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusPatch } from './status-patch.ts';

const ready = { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' };

test('Nothing is sent when nothing differs', () => {
  assert.equal(
    statusPatch('u', { phase: 'Running', conditions: [ready] }, { phase: 'Running', conditions: [ready] }),
    undefined,
  );
});

test('Only what differs is sent, with the uid of the pod it is about', () => {
  const from = { phase: 'Pending' as const, hostIP: '1.1.1.1', conditions: [ready] };
  assert.deepEqual(statusPatch('u', from, { ...from, phase: 'Running' }), {
    metadata: { uid: 'u' },
    status: { phase: 'Running' },
  });
});

test('A value that went is removed', () => {
  assert.deepEqual(statusPatch('u', { reason: 'Evicted' }, {}), {
    metadata: { uid: 'u' },
    status: { reason: null },
  });
});

test('Addresses are replaced, not joined', () => {
  assert.deepEqual(statusPatch('u', { podIPs: [{ ip: '10.0.0.1' }] }, { podIPs: [{ ip: '10.0.0.2' }] }), {
    metadata: { uid: 'u' },
    status: { podIPs: [{ $patch: 'replace' }, { ip: '10.0.0.2' }] },
  });
});

test('Conditions of others are not mentioned, and a reason that went is', () => {
  const foreign = { type: 'example.com/gate', status: 'True' };
  const before = { type: 'Ready', status: 'False', reason: 'ContainersNotReady' };
  assert.deepEqual(statusPatch('u', { conditions: [before, foreign] }, { conditions: [ready, foreign] }), {
    metadata: { uid: 'u' },
    status: { conditions: [{ ...ready, reason: null }] },
  });
});

test('A condition of another that changed since is not put back', () => {
  const target = (status: string) => ({ type: 'DisruptionTarget', status });
  assert.equal(
    statusPatch('u', { conditions: [ready, target('False')] }, { conditions: [ready, target('True')] }),
    undefined,
  );
});
