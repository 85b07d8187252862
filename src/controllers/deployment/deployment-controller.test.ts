import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { appsV1, Draft } from '#api';
import { resources } from '#client';
import { forbidden } from '#machinery';
import { type ControllersFixture, NAMESPACE, startControllersFixture } from '../frame/controllers.fixture.ts';
import { replicaSetController } from '../replicaset/index.ts';
import { deploymentController } from './index.ts';

let fixture: ControllersFixture;
beforeEach(async () => {
  fixture = await startControllersFixture([replicaSetController, deploymentController]);
});
afterEach(() => fixture.stop());

const deployments = () => fixture.client.resource(resources.deployments, NAMESPACE);
const replicaSets = () => fixture.client.resource(resources.replicaSets, NAMESPACE);

const REVISION = 'deployment.kubernetes.io/revision';

function template(image: string) {
  return { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image }] } };
}

async function createDeployment(spec: Partial<appsV1.DeploymentSpec> = {}): Promise<void> {
  const draft: Draft<appsV1.Deployment> = {
    metadata: { name: 'web' },
    spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template: template('web:1'), ...spec },
  };
  await deployments().create(draft);
  await fixture.settle();
}

async function change(patch: object): Promise<void> {
  await deployments().patch('web', 'application/merge-patch+json', patch);
  await fixture.settle();
}

const useImage = (image: string): Promise<void> =>
  change({ spec: { template: { spec: { containers: [{ name: 'c', image }] } } } });

/** `revision: size`, of every set, lowest revision first. */
async function sizes(): Promise<readonly string[]> {
  const { items } = await replicaSets().list();
  return items
    .map((set) => `${set.metadata.annotations?.[REVISION] ?? '?'}: ${set.spec.replicas}`)
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
}

async function condition(type: string): Promise<appsV1.DeploymentCondition | undefined> {
  return (await deployments().get('web')).status.conditions?.find((found) => found.type === type);
}

test('a new Deployment gets a ReplicaSet named by its template, and says what became of it', async () => {
  await createDeployment();
  const [set] = (await replicaSets().list()).items;
  const hash = set?.metadata.labels?.['pod-template-hash'] ?? '';
  assert.equal(set?.metadata.name, `web-${hash}`);
  assert.deepEqual(set.spec.selector?.matchLabels, { app: 'web', 'pod-template-hash': hash });
  assert.deepEqual(set.metadata.annotations, {
    [REVISION]: '1',
    'deployment.kubernetes.io/desired-replicas': '3',
    'deployment.kubernetes.io/max-replicas': '4',
  });
  assert.deepEqual(await fixture.eventsOf('web'), [
    `ScalingReplicaSet: Scaled up replica set web-${hash} from 0 to 3`,
  ]);
  assert.equal((await deployments().get('web')).metadata.annotations?.[REVISION], '1');
  assert.equal((await condition('Available'))?.reason, 'MinimumReplicasUnavailable');
  await fixture.runAllPods();
  const { status } = await deployments().get('web');
  assert.equal(status.availableReplicas, 3);
  assert.equal(status.observedGeneration, 1);
  assert.equal((await condition('Available'))?.message, 'Deployment has minimum availability.');
  const progressing = await condition('Progressing');
  assert.equal(progressing?.reason, 'NewReplicaSetAvailable');
  assert.equal(progressing.message, `ReplicaSet "web-${hash}" has successfully progressed.`);
});

test('a rolling update goes no further than its surge and what may be missing allow', async () => {
  await createDeployment({
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
  });
  await fixture.runAllPods();
  await useImage('web:2');
  assert.deepEqual(await sizes(), ['1: 3', '2: 1']);
  const seen: string[] = [];
  for (let i = 0; i < 8; i++) {
    await fixture.runAllPods();
    seen.push((await sizes()).join(', '));
    const { status } = await deployments().get('web');
    assert.ok((status.availableReplicas ?? 0) >= 3, 'fewer available than wanted');
    assert.ok((status.replicas ?? 0) <= 4, 'more than the surge allows');
  }
  assert.ok(seen.includes('1: 2, 2: 2'), seen.join(' | '));
  assert.deepEqual(await sizes(), ['1: 0', '2: 3']);
  assert.equal((await condition('Progressing'))?.reason, 'NewReplicaSetAvailable');
});

test('going back to an old template takes its set again, with a new revision and its history', async () => {
  await createDeployment({ replicas: 1 });
  await fixture.runAllPods();
  await useImage('web:2');
  await fixture.runAllPods();
  await useImage('web:1');
  await fixture.runAllPods();
  await fixture.runAllPods();
  assert.deepEqual(await sizes(), ['2: 0', '3: 1']);
  const current = (await replicaSets().list()).items.find((set) => set.spec.replicas === 1);
  assert.equal(current?.metadata.annotations?.['deployment.kubernetes.io/revision-history'], '1');
  assert.equal((await deployments().get('web')).metadata.annotations?.[REVISION], '3');
});

test('Recreate waits until the last old pod is gone', async () => {
  await createDeployment({ replicas: 2, strategy: { type: 'Recreate' } });
  await fixture.runAllPods();
  const old = await fixture.pods();
  await useImage('web:2');
  assert.deepEqual(await sizes(), ['1: 0']);
  for (const { metadata } of old) await fixture.removePod(metadata.name);
  await fixture.settle();
  assert.deepEqual(await sizes(), ['1: 0', '2: 2']);
});

test('a rollout without progress is called so after its deadline, and well again when it ends', async () => {
  await createDeployment({ replicas: 1, progressDeadlineSeconds: 600 });
  await fixture.clock.advance(590_000);
  assert.equal((await condition('Progressing'))?.reason, 'ReplicaSetUpdated');
  await fixture.clock.advance(20_000);
  const timedOut = await condition('Progressing');
  assert.equal(timedOut?.status, 'False');
  assert.equal(timedOut.reason, 'ProgressDeadlineExceeded');
  assert.match(timedOut.message ?? '', /^ReplicaSet "web-[a-z0-9]+" has timed out progressing\.$/);
  await fixture.runAllPods();
  assert.equal((await condition('Progressing'))?.reason, 'NewReplicaSetAvailable');
});

test('while paused a new template rolls nothing out, but a new size is followed', async () => {
  await createDeployment();
  await fixture.runAllPods();
  await change({ spec: { paused: true } });
  const paused = await condition('Progressing');
  assert.deepEqual(
    [paused?.status, paused?.reason, paused?.message],
    ['Unknown', 'DeploymentPaused', 'Deployment is paused'],
  );
  await useImage('web:2');
  await change({ spec: { replicas: 5 } });
  assert.deepEqual(await sizes(), ['1: 5']);
  await change({ spec: { paused: false } });
  assert.equal((await sizes()).length, 2);
});

test('old sets beyond the history limit go when the rollout is complete', async () => {
  await createDeployment({ replicas: 1, revisionHistoryLimit: 1 });
  for (const image of ['web:2', 'web:3', 'web:4']) {
    await fixture.runAllPods();
    await useImage(image);
  }
  await fixture.runAllPods();
  await fixture.runAllPods();
  assert.deepEqual(await sizes(), ['3: 0', '4: 1']);
});

test('what keeps pods from being created is told by the ReplicaSet and by the Deployment', async () => {
  const end = fixture.cluster.addFault((request) =>
    request.verb === 'create' && request.resource === 'pods'
      ? forbidden({ group: '', resource: 'pods' }, 'web-x', 'exceeded quota: small')
      : undefined,
  );
  await createDeployment();
  const failure = await condition('ReplicaFailure');
  assert.equal(failure?.reason, 'FailedCreate');
  assert.equal(failure.message, 'pods "web-x" is forbidden: exceeded quota: small');
  const [set] = (await replicaSets().list()).items;
  const events = await fixture.eventsOf(set?.metadata.name ?? '');
  assert.equal(events[0], 'FailedCreate: Error creating: pods "web-x" is forbidden: exceeded quota: small');
  end();
  await fixture.clock.advance(60_000);
  assert.equal((await fixture.pods()).length, 3);
  assert.equal(await condition('ReplicaFailure'), undefined);
});

test('minReadySeconds of the Deployment holds the rollout back', async () => {
  await createDeployment({ replicas: 1, minReadySeconds: 30 });
  await fixture.runAllPods();
  assert.equal((await deployments().get('web')).status.availableReplicas ?? 0, 0);
  await fixture.clock.advance(30_000);
  assert.equal((await deployments().get('web')).status.availableReplicas, 1);
});
