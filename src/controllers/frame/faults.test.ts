/** Controllers whose every fourth write fails still reach what was asked for, and count right. Seeds replay a run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { batchV1, coreV1 } from '#api';
import { resources } from '#client';
import { seededRandom, unavailable } from '#testing';
import { jobController } from '../job/index.ts';
import { statefulSetController } from '../statefulset/index.ts';
import type { Controller } from './controller.ts';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from './controllers.fixture.ts';

const SEEDS = [1, 2, 3, 4, 5, 6];
const FAILING_SHARE = 0.25;
const MAX_STEPS = 400;

async function startFaulty(
  controllers: readonly Controller[],
  seed: number,
): Promise<{
  readonly fixture: ControllersFixture;
  readonly dice: () => number;
  readonly injected: () => number;
}> {
  const fixture = await startControllersFixture(controllers, { seed });
  const random = seededRandom(seed);
  let injected = 0;
  fixture.cluster.addFault((request, user) => {
    const isWrite = 'verb' in request && !['get', 'list', 'watch'].includes(request.verb);
    const isController = user.name.startsWith('system:serviceaccount:kube-system:');
    if (!isWrite || !isController || random.next() >= FAILING_SHARE) return undefined;
    injected++;
    return unavailable();
  });
  return { fixture, dice: () => random.next(), injected: () => injected };
}

/** Steps until it holds, acting as kubelet in between. */
async function stepUntil(
  fixture: ControllersFixture,
  kubelet: (pod: coreV1.Pod) => Promise<void>,
  isDone: () => Promise<boolean>,
): Promise<void> {
  const pods = fixture.client.resource(resources.pods, NAMESPACE);
  for (let step = 0; step < MAX_STEPS; step++) {
    if (await isDone()) return;
    for (const pod of (await pods.list()).items) {
      if (pod.metadata.deletionTimestamp === undefined) await kubelet(pod);
      else await fixture.removePod(pod.metadata.name).catch(() => undefined);
    }
    await fixture.clock.advance(3_000);
  }
  assert.fail(`not reached in ${MAX_STEPS} steps`);
}

for (const completionMode of ['NonIndexed', 'Indexed'] as const)
  for (const seed of SEEDS)
    test(`a job (${completionMode}) counts every pod exactly once, seed ${seed}`, async (t) => {
      const { fixture, dice, injected } = await startFaulty([jobController], seed);
      t.after(() => fixture.stop());
      const jobs = fixture.client.resource(resources.jobs, NAMESPACE);
      const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } as const;
      await jobs.create({
        metadata: { name: 'j' },
        spec: { completions: 9, parallelism: 3, backoffLimit: 100, completionMode, template },
      });
      let failures = 0;
      const kubelet = async ({ metadata, status }: coreV1.Pod): Promise<void> => {
        if (status.phase !== 'Pending') return;
        const fails = dice() < 0.2;
        if (fails) failures++;
        await fixture.setPodStatus(metadata.name, { phase: fails ? 'Failed' : 'Succeeded' });
      };
      const status = async (): Promise<batchV1.JobStatus> => (await jobs.get('j')).status;
      const isDone = async (): Promise<boolean> =>
        (await status()).conditions?.some(({ type }) => type === 'Complete') === true;
      await stepUntil(fixture, kubelet, isDone);
      const { succeeded, failed = 0, active, uncountedTerminatedPods, completedIndexes } = await status();
      assert.ok(injected() > 3);
      assert.deepEqual([succeeded, failed, active], [9, failures, undefined]);
      assert.deepEqual(uncountedTerminatedPods, {});
      assert.equal(completedIndexes, completionMode === 'Indexed' ? '0-8' : undefined);
    });

for (const seed of SEEDS)
  test(`a StatefulSet rolls out in spite of failing writes, seed ${seed}`, async (t) => {
    const { fixture, injected } = await startFaulty([statefulSetController], seed);
    t.after(() => fixture.stop());
    const template = (image: string): coreV1.PodTemplateSpec => ({
      metadata: { labels: { app: 'a' } },
      spec: { containers: [{ name: 'c', image }] },
    });
    const selector = { matchLabels: { app: 'a' } };
    const sets = fixture.client.resource(resources.statefulSets, NAMESPACE);
    await fixture.createNode('n1');
    await sets.create({
      metadata: { name: 's' },
      spec: { replicas: 3, serviceName: 's', selector, template: template('i:1') },
    });
    const kubelet = async ({ metadata, status }: coreV1.Pod): Promise<void> => {
      if (status.phase === 'Pending') await fixture.runPod(metadata.name, 'n1');
    };
    const isReady = async (): Promise<boolean> => {
      const { status, metadata } = await sets.get('s');
      const isUpdated = status.updatedReplicas === 3 && status.currentRevision === status.updateRevision;
      return status.observedGeneration === metadata.generation && status.readyReplicas === 3 && isUpdated;
    };
    await stepUntil(fixture, kubelet, isReady);
    await sets.patch('s', 'application/strategic-merge-patch+json', { spec: { template: template('i:2') } });
    await stepUntil(fixture, kubelet, isReady);
    assert.ok(injected() > 3);
    assert.deepEqual(
      (await fixture.pods()).map(({ metadata, spec }) => `${metadata.name} ${spec.containers[0]?.image}`),
      ['s-0 i:2', 's-1 i:2', 's-2 i:2'],
    );
  });
