import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLogger } from '#platform';
import { API_SERVER_ALONE, startCluster, type TestCluster } from '#testing';
import { createLeaderElector, type LeaderElector } from './leader-election.ts';
import { resources } from './resources.ts';

let api: TestCluster;
beforeEach(async () => {
  api = await startCluster(API_SERVER_ALONE);
});
afterEach(() => api.stop());

interface Candidate {
  readonly elector: LeaderElector;
  readonly seen: string[];
  readonly ended: Promise<void>;
  stop(): void;
}

function candidate(identity: string): Candidate {
  const { clock, random } = api;
  const seen: string[] = [];
  // An identity of its own, so that a fault can hit one candidate only.
  const client = api.clientFor({ name: identity, groups: ['system:masters'] });
  const elector = createLeaderElector({
    client,
    namespace: 'kube-system',
    name: 'controllers',
    identity,
    clock,
    random,
    logger: silentLogger,
    onNewLeader: (leader) => seen.push(`sees ${leader}`),
  });
  const stop = new AbortController();
  const lead = async (signal: AbortSignal): Promise<void> => {
    seen.push('leads');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    seen.push('stops');
  };
  const ended = elector.run(lead, { signal: stop.signal });
  return { elector, seen, ended, stop: () => stop.abort(new Error('stop')) };
}

const lease = () => api.client.resource(resources.leases, 'kube-system').get('controllers');

test('one leads, the other waits and takes over when the lease is given up', async () => {
  const first = candidate('a');
  await api.clock.settle();
  const second = candidate('b');
  await api.clock.advance(60_000);
  assert.deepEqual(first.seen, ['sees a', 'leads']);
  assert.deepEqual(second.seen, ['sees a']);
  first.stop();
  await first.ended;
  assert.equal((await lease()).spec.holderIdentity, '');
  await api.clock.advance(5000);
  assert.deepEqual(second.seen, ['sees a', 'sees b', 'leads']);
  assert.equal((await lease()).spec.leaseTransitions, 1);
  second.stop();
  await second.ended;
});

test('the lease is renewed every two seconds and says since when it is held', async () => {
  const only = candidate('a');
  await api.clock.advance(7000);
  const { spec } = await lease();
  assert.equal(spec.acquireTime, '2026-01-01T00:00:00.000000Z');
  assert.equal(spec.renewTime, '2026-01-01T00:00:06.000000Z');
  assert.equal(spec.leaseDurationSeconds, 15);
  only.stop();
  await only.ended;
});

test('a leader that cannot renew stops before another one starts', async () => {
  const first = candidate('a');
  await api.clock.settle();
  const second = candidate('b');
  await api.clock.advance(3000);
  const end = api.addFault((_, user) => (user.name === 'a' ? new Error('connection refused') : undefined));
  let overlap = false;
  for (let i = 0; i < 30; i++) {
    await api.clock.advance(1000);
    overlap ||= second.seen.includes('leads') && !first.seen.includes('stops');
  }
  assert.deepEqual(first.seen, ['sees a', 'leads', 'stops']);
  assert.deepEqual(second.seen, ['sees a', 'sees b', 'leads']);
  assert.equal(overlap, false);
  end();
  second.stop();
  await Promise.all([first.ended, second.ended]);
});

test('a short failure does not cost the leadership', async () => {
  const first = candidate('a');
  await api.clock.advance(3000);
  const end = api.addFault(() => new Error('connection refused'));
  await api.clock.advance(6000);
  end();
  await api.clock.advance(20_000);
  assert.deepEqual(first.seen, ['sees a', 'leads']);
  first.stop();
  await first.ended;
});
