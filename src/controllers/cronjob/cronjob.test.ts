import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { batchV1 } from '#api';
import { resources } from '#client';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { cronJobController } from './index.ts';

let fixture: ControllersFixture;

beforeEach(async () => {
  fixture = await startControllersFixture([cronJobController]);
});
afterEach(() => fixture.stop());

const MINUTE_MS = 60_000;
const cronJobs = () => fixture.client.resource(resources.cronJobs, NAMESPACE);
const jobs = () => fixture.client.resource(resources.jobs, NAMESPACE);

async function create(spec: Partial<batchV1.CronJobSpec>): Promise<void> {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } as const;
  await cronJobs().create({
    metadata: { name: 'c' },
    spec: {
      schedule: '* * * * *',
      jobTemplate: { metadata: { labels: { made: 'by-c' } }, spec: { template } },
      ...spec,
    },
  });
  await fixture.settle();
}

const jobNames = async (): Promise<readonly string[]> =>
  (await jobs().list()).items.map(({ metadata }) => metadata.name).toSorted((a, b) => (a < b ? -1 : 1));

/** Minutes since 1970 at the beginning of the tests: 2026-01-01T00:00Z. */
const START = Date.UTC(2026, 0, 1) / MINUTE_MS;

async function finish(name: string, type: 'Complete' | 'Failed'): Promise<void> {
  const job = await jobs().get(name);
  const now = new Date(fixture.clock.now()).toISOString();
  const interim = type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
  await jobs().updateStatus({
    ...job,
    status: {
      ...job.status,
      startTime: now,
      conditions: [interim, type].map((each) => ({ type: each, status: 'True', lastTransitionTime: now })),
      ...(type === 'Complete' ? { completionTime: now } : {}),
    },
  });
  await fixture.settle();
}

test('a job is made on the minute, named after it, and noted', async () => {
  await create({});
  assert.deepEqual(await jobNames(), []);
  await fixture.clock.advance(MINUTE_MS);
  const name = `c-${START + 1}`;
  assert.deepEqual(await jobNames(), [name]);
  const job = await jobs().get(name);
  assert.equal(job.metadata.labels?.['made'], 'by-c');
  assert.deepEqual(job.metadata.annotations, {
    'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T00:01:00Z',
  });
  const { status } = await cronJobs().get('c');
  assert.equal(status.lastScheduleTime, '2026-01-01T00:01:00Z');
  assert.deepEqual(
    status.active?.map((reference) => reference.name),
    [name],
  );
  await finish(name, 'Complete');
  const after = (await cronJobs().get('c')).status;
  assert.equal(after.active, undefined);
  assert.notEqual(after.lastSuccessfulTime, undefined);
  assert.deepEqual(await fixture.eventsOf('c'), [
    `SuccessfulCreate: Created job ${name}`,
    `SawCompletedJob: Saw completed job: ${name}, condition: Complete`,
  ]);
});

test('a schedule is read in its time zone', async () => {
  await create({ schedule: '30 6 * * *', timeZone: 'Asia/Kolkata' });
  await fixture.clock.advance(2 * 60 * MINUTE_MS);
  const [job] = (await jobs().list()).items;
  assert.deepEqual(job?.metadata.annotations, {
    'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T06:30:00+05:30',
  });
  assert.equal(job?.metadata.name, `c-${START + 60}`);
});

test('a time zone that does not exist is told, and nothing starts', async () => {
  await create({ timeZone: 'Mars/Olympus' }).catch(() => undefined);
  await fixture.clock.advance(3 * MINUTE_MS);
  assert.deepEqual(await jobNames(), []);
});

test('Forbid waits for the job that runs, Allow does not, Replace takes its place', async () => {
  await create({ concurrencyPolicy: 'Forbid' });
  await fixture.clock.advance(2 * MINUTE_MS);
  assert.deepEqual(await jobNames(), [`c-${START + 1}`]);
  assert.ok(
    (await fixture.eventsOf('c')).includes(
      'JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid',
    ),
  );
  const policy = async (concurrencyPolicy: string): Promise<void> => {
    await cronJobs().patch('c', 'application/merge-patch+json', { spec: { concurrencyPolicy } });
    await fixture.settle();
  };
  await policy('Allow');
  assert.deepEqual(await jobNames(), [`c-${START + 1}`, `c-${START + 2}`]);
  await policy('Replace');
  await fixture.clock.advance(MINUTE_MS);
  assert.deepEqual(await jobNames(), [`c-${START + 3}`]);
});

test('a suspended one starts nothing, and afterwards only what was due last', async () => {
  await create({ suspend: true });
  await fixture.clock.advance(10 * MINUTE_MS);
  assert.deepEqual(await jobNames(), []);
  await cronJobs().patch('c', 'application/merge-patch+json', { spec: { suspend: false } });
  await fixture.settle();
  assert.deepEqual(await jobNames(), [`c-${START + 10}`]);
});

test('what is later than its deadline is not started', async () => {
  await create({ schedule: '0 * * * *', suspend: true, startingDeadlineSeconds: 60 });
  await fixture.clock.advance(65 * MINUTE_MS);
  await cronJobs().patch('c', 'application/merge-patch+json', { spec: { suspend: false } });
  await fixture.settle();
  assert.deepEqual(await jobNames(), []);
  await fixture.clock.advance(55 * MINUTE_MS);
  assert.deepEqual(await jobNames(), [`c-${START + 120}`]);
});

test('only the last ended jobs are kept', async () => {
  await create({ successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0 });
  for (let minute = 1; minute <= 3; minute++) {
    await fixture.clock.advance(MINUTE_MS);
    await finish(`c-${START + minute}`, minute === 2 ? 'Failed' : 'Complete');
  }
  assert.deepEqual(await jobNames(), [`c-${START + 3}`]);
});

test('a day of hourly jobs passes', async () => {
  await create({ schedule: '@hourly' });
  await fixture.clock.advance(24 * 60 * MINUTE_MS);
  assert.equal((await jobNames()).length, 24);
});
