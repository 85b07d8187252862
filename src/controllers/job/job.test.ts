import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { batchV1, coreV1 } from '#api';
import { resources } from '#client';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { jobController } from './index.ts';

let fixture: ControllersFixture;

beforeEach(async () => {
  fixture = await startControllersFixture([jobController]);
});
afterEach(() => fixture.stop());

const template: coreV1.PodTemplateSpec = {
  spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] },
};

async function createJob(spec: Partial<batchV1.JobSpec>, name = 'j'): Promise<batchV1.Job> {
  const created = await fixture.client
    .resource(resources.jobs, NAMESPACE)
    .create({ metadata: { name }, spec: { template, ...spec } });
  await fixture.settle();
  return created;
}

const job = (name = 'j'): Promise<batchV1.Job> =>
  fixture.client.resource(resources.jobs, NAMESPACE).get(name);
const conditionsOf = async (): Promise<readonly string[]> =>
  ((await job()).status.conditions ?? []).map(
    ({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`,
  );

async function end(
  pod: coreV1.Pod,
  phase: 'Succeeded' | 'Failed',
  exitCode = phase === 'Failed' ? 1 : 0,
): Promise<void> {
  const finishedAt = new Date(fixture.clock.now()).toISOString();
  await fixture.setPodStatus(pod.metadata.name, {
    phase,
    containerStatuses: [
      {
        name: 'c',
        image: 'i',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode, finishedAt } },
      },
    ],
  });
}

async function running(): Promise<readonly coreV1.Pod[]> {
  return (await fixture.pods()).filter(
    ({ status }) => status.phase === 'Pending' || status.phase === 'Running',
  );
}
async function endAll(phase: 'Succeeded' | 'Failed', exitCode?: number): Promise<void> {
  for (const pod of await running()) await end(pod, phase, exitCode);
  await fixture.settle();
}
const indexOf = (pod: coreV1.Pod): string =>
  pod.metadata.annotations?.['batch.kubernetes.io/job-completion-index'] ?? '';
const indexesRunning = async (): Promise<readonly string[]> => (await running()).map(indexOf).toSorted();

test('a job runs its pods side by side until as many as wanted have succeeded', async () => {
  await createJob({ completions: 3, parallelism: 2 });
  assert.equal((await running()).length, 2);
  const [pod] = await running();
  assert.deepEqual(pod?.metadata.finalizers, ['batch.kubernetes.io/job-tracking']);
  assert.equal((await job()).status.active, 2);
  await endAll('Succeeded');
  assert.equal((await job()).status.succeeded, 2);
  assert.equal((await running()).length, 1);
  await endAll('Succeeded');
  const { status } = await job();
  assert.equal(status.succeeded, 3);
  assert.equal(status.active, undefined);
  assert.deepEqual(status.uncountedTerminatedPods, {});
  assert.notEqual(status.completionTime, undefined);
  assert.deepEqual(await conditionsOf(), [
    'SuccessCriteriaMet=True CompletionsReached: Reached expected number of succeeded pods',
    'Complete=True CompletionsReached: Reached expected number of succeeded pods',
  ]);
  for (const { metadata } of await fixture.pods()) assert.equal(metadata.finalizers, undefined);
  assert.equal((await fixture.eventsOf('j')).at(-1), 'Completed: Job completed');
});

test('failed pods are replaced after growing pauses until the backoff limit is reached', async () => {
  await createJob({ backoffLimit: 1 });
  await endAll('Failed');
  assert.equal((await running()).length, 0);
  await fixture.clock.advance(8_000);
  assert.equal((await running()).length, 0);
  await fixture.clock.advance(2_000);
  assert.equal((await running()).length, 1);
  await endAll('Failed');
  assert.equal((await job()).status.failed, 2);
  assert.deepEqual(await conditionsOf(), [
    'FailureTarget=True BackoffLimitExceeded: Job has reached the specified backoff limit',
    'Failed=True BackoffLimitExceeded: Job has reached the specified backoff limit',
  ]);
  assert.equal(
    (await fixture.eventsOf('j')).at(-1),
    'BackoffLimitExceeded: Job has reached the specified backoff limit',
  );
});

test('a job that is active for too long fails, and its pods go first', async () => {
  await createJob({ activeDeadlineSeconds: 30 });
  await fixture.runAllPods();
  const [pod] = await running();
  await fixture.clock.advance(30_000);
  assert.deepEqual(await conditionsOf(), [
    'FailureTarget=True DeadlineExceeded: Job was active longer than specified deadline',
  ]);
  assert.equal((await job()).status.terminating, 1);
  await fixture.removePod(pod?.metadata.name ?? '');
  await fixture.settle();
  assert.deepEqual(await conditionsOf(), [
    'FailureTarget=True DeadlineExceeded: Job was active longer than specified deadline',
    'Failed=True DeadlineExceeded: Job was active longer than specified deadline',
  ]);
  assert.equal((await job()).status.failed, 1);
});

test('an indexed job gives each pod its index in name, annotation, label, host name and environment', async () => {
  await createJob({ completions: 3, parallelism: 2, completionMode: 'Indexed' });
  const [pod] = await running();
  assert.match(pod?.metadata.name ?? '', /^j-0-[a-z0-9]{5}$/);
  assert.equal(pod?.metadata.labels?.['batch.kubernetes.io/job-completion-index'], '0');
  assert.equal(pod?.spec.hostname, 'j-0');
  assert.deepEqual(pod?.spec.containers[0]?.env, [
    {
      name: 'JOB_COMPLETION_INDEX',
      valueFrom: {
        fieldRef: {
          apiVersion: 'v1',
          fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']",
        },
      },
    },
  ]);
  assert.deepEqual(await indexesRunning(), ['0', '1']);
  await endAll('Succeeded');
  assert.equal((await job()).status.completedIndexes, '0,1');
  assert.deepEqual(await indexesRunning(), ['2']);
  await endAll('Succeeded');
  const { status } = await job();
  assert.equal(status.completedIndexes, '0-2');
  assert.equal(status.succeeded, 3);
  assert.notEqual(status.completionTime, undefined);
});

test('with a limit per index one index can fail and the others go on', async () => {
  await createJob({ completions: 2, parallelism: 2, completionMode: 'Indexed', backoffLimitPerIndex: 1 });
  const first = (await running()).find((pod) => indexOf(pod) === '0');
  const annotation = 'batch.kubernetes.io/job-index-failure-count';
  assert.equal(first?.metadata.annotations?.[annotation], '0');
  if (first !== undefined) await end(first, 'Failed');
  await fixture.clock.advance(12_000);
  const second = (await running()).find((pod) => indexOf(pod) === '0');
  assert.equal(second?.metadata.annotations?.[annotation], '1');
  if (second !== undefined) await end(second, 'Failed');
  await fixture.clock.advance(30_000);
  assert.deepEqual(await indexesRunning(), ['1']);
  assert.equal((await job()).status.failedIndexes, '0');
  await endAll('Succeeded');
  const { status } = await job();
  assert.equal(status.completedIndexes, '1');
  assert.equal(status.failed, 2);
  assert.deepEqual(await conditionsOf(), [
    'FailureTarget=True FailedIndexes: Job has failed indexes',
    'Failed=True FailedIndexes: Job has failed indexes',
  ]);
});

test('a failure policy can fail the job at once, or leave a failure uncounted', async () => {
  await createJob({
    backoffLimit: 0,
    podFailurePolicy: {
      rules: [
        { action: 'Ignore', onExitCodes: { operator: 'In', values: [7] } },
        { action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } },
      ],
    },
  });
  await endAll('Failed', 7);
  await fixture.clock.advance(10_000);
  assert.equal((await job()).status.failed, undefined);
  const [pod] = await running();
  await endAll('Failed', 42);
  const message = `Container c for pod default/${pod?.metadata.name} failed with exit code 42 matching FailJob rule at index 1`;
  assert.deepEqual(await conditionsOf(), [
    `FailureTarget=True PodFailurePolicy: ${message}`,
    `Failed=True PodFailurePolicy: ${message}`,
  ]);
});

test('a success policy ends the job before all indexes have succeeded', async () => {
  await createJob({
    completions: 3,
    parallelism: 3,
    completionMode: 'Indexed',
    successPolicy: { rules: [{ succeededIndexes: '0' }] },
  });
  const leader = (await running()).find((pod) => indexOf(pod) === '0');
  if (leader !== undefined) await end(leader, 'Succeeded');
  await fixture.settle();
  assert.deepEqual(await conditionsOf(), [
    'SuccessCriteriaMet=True SuccessPolicy: Matched rules at index 0',
    'Complete=True SuccessPolicy: Matched rules at index 0',
  ]);
  assert.equal((await job()).status.succeeded, 1);
});

test('a suspended job has no pods, and its time begins when it is resumed', async () => {
  await createJob({ suspend: true });
  assert.equal((await running()).length, 0);
  assert.equal((await job()).status.startTime, undefined);
  assert.deepEqual(await conditionsOf(), ['Suspended=True JobSuspended: Job suspended']);
  const jobs = fixture.client.resource(resources.jobs, NAMESPACE);
  await jobs.patch('j', 'application/merge-patch+json', { spec: { suspend: false } });
  await fixture.settle();
  assert.equal((await running()).length, 1);
  assert.deepEqual(await conditionsOf(), ['Suspended=False JobResumed: Job resumed']);
  assert.notEqual((await job()).status.startTime, undefined);
  await jobs.patch('j', 'application/merge-patch+json', { spec: { suspend: true } });
  await fixture.settle();
  assert.equal((await running()).length, 0);
  assert.equal((await job()).status.failed, undefined);
});

test('a pod deleted by somebody counts as failed and is replaced; scaling down lets surplus pods go uncounted', async () => {
  await createJob({ completions: 4, parallelism: 3 });
  await fixture.runAllPods();
  const [pod] = await running();
  await fixture.client.resource(resources.pods, NAMESPACE).delete(pod?.metadata.name ?? '');
  await fixture.clock.advance(11_000);
  assert.equal((await job()).status.failed, 1);
  assert.equal((await running()).length, 3);
  const jobs = fixture.client.resource(resources.jobs, NAMESPACE);
  await jobs.patch('j', 'application/merge-patch+json', { spec: { parallelism: 1 } });
  await fixture.settle();
  assert.equal((await running()).length, 1);
  assert.equal((await job()).status.failed, 1);
});

test('pods of a deleted job lose their finalizer, and matching pods without owner are adopted with one', async () => {
  const pods = fixture.client.resource(resources.pods, NAMESPACE);
  await pods.create({
    metadata: { name: 'orphan', labels: { app: 'x' } },
    spec: template.spec ?? { containers: [] },
  });
  const labelled = { metadata: { labels: { app: 'x' } }, ...template };
  await createJob({ manualSelector: true, selector: { matchLabels: { app: 'x' } }, template: labelled });
  const adopted = await pods.get('orphan');
  assert.equal(adopted.metadata.ownerReferences?.[0]?.name, 'j');
  assert.deepEqual(adopted.metadata.finalizers, ['batch.kubernetes.io/job-tracking']);
  await fixture.client.resource(resources.jobs, NAMESPACE).delete('j', { propagationPolicy: 'Background' });
  await fixture.settle();
  assert.equal((await pods.get('orphan')).metadata.finalizers, undefined);
});
