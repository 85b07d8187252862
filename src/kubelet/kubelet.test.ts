import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resources } from '#client';
import { NODE_IP, startKubelet } from './kubelet.fixture.ts';
import { SCRIPT_ANNOTATION } from './simulated/index.ts';

const scripted = (scripts: object): { annotations: Record<string, string> } => ({
  annotations: { [SCRIPT_ANNOTATION]: JSON.stringify(scripts) },
});

test('A pod bound to the node runs and is reported running and ready', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {});
  const { status } = await harness.pod('web');
  assert.equal(status?.phase, 'Running');
  assert.equal(status?.hostIP, NODE_IP);
  assert.equal(status?.podIP, '10.244.0.2');
  assert.deepEqual(
    status?.conditions?.map(({ type, status: value }) => [type, value]),
    [
      ['PodReadyToStartContainers', 'True'],
      ['Initialized', 'True'],
      ['Ready', 'True'],
      ['ContainersReady', 'True'],
      ['PodScheduled', 'True'],
    ],
  );
  const [app] = status?.containerStatuses ?? [];
  assert.equal(app?.ready, true);
  assert.equal(app?.started, true);
  assert.equal(app?.image, 'app:1');
  assert.match(app?.containerID ?? '', /^simulated:\/\/[0-9a-f]{64}$/);
  assert.deepEqual(harness.reasons('web'), ['Pulling', 'Pulled', 'Created', 'Started']);
  await harness.stop();
});

test('A deleted pod is stopped, torn down and removed from the API and the node', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {});
  await harness.client.resource(resources.pods, 'default').delete('web');
  await harness.clock.advance(1000);
  assert.equal(await harness.podGone('web'), true);
  assert.deepEqual(await harness.runtime.listPodSandboxes(), []);
  assert.deepEqual(await harness.runtime.listContainers(), []);
  assert.deepEqual(await harness.files.list('/var/lib/k8ts/kubelet/pods'), []);
  await harness.stop();
});

test('A container that keeps dying is restarted after growing pauses', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {}, scripted({ app: { exitAfterMs: 1000, exitCode: 1 } }));
  await harness.clock.advance(2500);
  const crashed = (await harness.pod('web')).status?.containerStatuses?.[0];
  assert.deepEqual(crashed?.state?.waiting?.reason, 'CrashLoopBackOff');
  assert.match(
    crashed?.state?.waiting?.message ?? '',
    /^back-off 10s restarting failed container=app pod=web_default\(uid-web\)$/,
  );
  assert.equal(crashed?.lastState?.terminated?.exitCode, 1);
  assert.equal(crashed?.restartCount, 1);
  await harness.clock.advance(60_000);
  const later = (await harness.pod('web')).status;
  assert.equal(later?.phase, 'Running');
  assert.equal(later?.containerStatuses?.[0]?.restartCount, 3);
  await harness.stop();
});

test('Containers outlive the kubelet and are adopted by the next one', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {});
  const before = (await harness.pod('web')).status?.containerStatuses?.[0]?.containerID;
  await harness.restart();
  const after = (await harness.pod('web')).status?.containerStatuses?.[0];
  assert.equal(after?.containerID, before);
  assert.equal(after?.restartCount, 0);
  await harness.stop();
});

test('A pod whose containers all succeed and are not restarted ends as Succeeded', async () => {
  const harness = await startKubelet();
  await harness.createPod('job', { restartPolicy: 'Never' }, scripted({ app: { exitAfterMs: 5000 } }));
  await harness.clock.advance(6000);
  const { status } = await harness.pod('job');
  assert.equal(status?.phase, 'Succeeded');
  assert.deepEqual(status?.containerStatuses?.[0]?.state?.terminated?.reason, 'Completed');
  assert.equal(status?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'PodCompleted');
  await harness.stop();
});
