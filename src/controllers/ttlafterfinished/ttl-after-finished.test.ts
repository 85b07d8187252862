import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resources } from '#client';
import { NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { ttlAfterFinishedController } from './index.ts';

test('a job is deleted when it has been finished for as long as it says', async (t) => {
  const fixture = await startControllersFixture([ttlAfterFinishedController]);
  t.after(() => fixture.stop());
  const jobs = fixture.client.resource(resources.jobs, NAMESPACE);
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } as const;
  const job = await jobs.create({
    metadata: { name: 'j' },
    spec: { ttlSecondsAfterFinished: 100, template },
  });
  await fixture.clock.advance(200_000);
  const now = new Date(fixture.clock.now()).toISOString();
  await jobs.updateStatus({
    ...job,
    status: {
      startTime: now,
      completionTime: now,
      conditions: ['SuccessCriteriaMet', 'Complete'].map((type) => ({
        type,
        status: 'True',
        lastTransitionTime: now,
      })),
    },
  });
  await fixture.clock.advance(99_000);
  assert.equal((await jobs.get('j')).metadata.deletionTimestamp, undefined);
  await fixture.clock.advance(2_000);
  const left = (await jobs.list()).items;
  assert.ok(left.every(({ metadata }) => metadata.deletionTimestamp !== undefined));
});
