import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { resources } from '#client';
import { type KubeletHarness, startKubelet } from './kubelet.fixture.ts';

const remove = (harness: KubeletHarness, name: string, gracePeriodSeconds?: number): Promise<void> =>
  harness.client
    .resource(resources.pods, 'default')
    .delete(name, gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds });
const firstState = (pod: coreV1.Pod): coreV1.ContainerState | undefined =>
  pod.status?.containerStatuses?.[0]?.state;
const messages = (harness: KubeletHarness, reason: string): readonly string[] =>
  harness.events.filter((event) => event.reason === reason).map(({ message }) => message);

test('An image that cannot be pulled is tried again after growing pauses', async () => {
  const harness = await startKubelet({
    simulation: {
      behaviour: {
        image: () => ({ error: 'failed to resolve reference "docker.io/library/app:1": not found' }),
      },
    },
  });
  await harness.createPod('web', {});
  const waiting = async (): Promise<coreV1.ContainerStateWaiting | undefined> =>
    firstState(await harness.pod('web'))?.waiting;
  assert.deepEqual(await waiting(), {
    reason: 'ErrImagePull',
    message: 'failed to resolve reference "docker.io/library/app:1": not found',
  });
  assert.equal((await harness.pod('web')).status?.phase, 'Pending');
  harness.kubelet.runtimePods.invalidate('uid-web');
  await harness.clock.advance(11_000);
  const pulls = harness.reasons('web').filter((reason) => reason === 'Pulling').length;
  assert.equal(pulls, 2);
  await harness.stop();
});

test('A container whose configuration is missing waits, and starts as soon as it is there', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {
    containers: [{ name: 'app', image: 'app:1', envFrom: [{ configMapRef: { name: 'settings' } }] }],
  });
  assert.deepEqual(firstState(await harness.pod('web'))?.waiting, {
    reason: 'CreateContainerConfigError',
    message: 'configmap "settings" not found',
  });
  assert.ok(messages(harness, 'Failed').includes('Error: configmap "settings" not found'));
  await harness.client
    .resource(resources.configMaps, 'default')
    .create({ metadata: { name: 'settings' }, data: { a: 'b' } });
  await harness.clock.settle();
  assert.equal((await harness.pod('web')).status?.phase, 'Running');
  await harness.stop();
});

test('A volume whose source is missing holds the pod up, and changes of its source reach the pod', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {
    volumes: [{ name: 'config', configMap: { name: 'settings' } }],
    containers: [{ name: 'app', image: 'app:1', volumeMounts: [{ name: 'config', mountPath: '/etc/app' }] }],
  });
  assert.deepEqual(messages(harness, 'FailedMount'), [
    'MountVolume.SetUp failed for volume "config" : configmap "settings" not found',
  ]);
  assert.equal(firstState(await harness.pod('web'))?.waiting?.reason, 'ContainerCreating');
  const configMaps = harness.client.resource(resources.configMaps, 'default');
  const made = await configMaps.create({ metadata: { name: 'settings' }, data: { color: 'blue' } });
  await harness.clock.settle();
  assert.equal((await harness.pod('web')).status?.phase, 'Running');
  const path = '/var/lib/k8ts/kubelet/pods/uid-web/volumes/kubernetes.io~configmap/config';
  assert.equal((await harness.files.readFile(`${path}/color`)).toString(), 'blue');
  await configMaps.update({ ...made, data: { color: 'red' } });
  await harness.clock.settle();
  assert.equal((await harness.files.readFile(`${path}/color`)).toString(), 'red');
  await harness.stop();
});

test('A service account token stands in memory and is renewed before it gets old', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {
    serviceAccountName: 'default',
    volumes: [
      {
        name: 'access',
        projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600 } }] },
      },
    ],
    containers: [
      { name: 'app', image: 'app:1', volumeMounts: [{ name: 'access', mountPath: '/var/run/secrets' }] },
    ],
  });
  const path = '/run/k8ts/kubelet/pods/uid-web/kubernetes.io~projected/access/token';
  const first = (await harness.files.readFile(path)).toString();
  await harness.clock.advance(40 * 60_000);
  assert.equal((await harness.files.readFile(path)).toString(), first);
  await harness.clock.advance(10 * 60_000);
  assert.notEqual((await harness.files.readFile(path)).toString(), first);
  await remove(harness, 'web', 0);
  await harness.clock.advance(5000);
  assert.equal(await harness.files.stat('/run/k8ts/kubelet/pods/uid-web'), undefined);
  await harness.stop();
});

test('An emptyDir belongs to the fsGroup and goes with the pod', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {
    securityContext: { fsGroup: 2000 },
    volumes: [{ name: 'data', emptyDir: {} }],
    containers: [{ name: 'app', image: 'app:1', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
  });
  const stat = await harness.files.stat(
    '/var/lib/k8ts/kubelet/pods/uid-web/volumes/kubernetes.io~empty-dir/data',
  );
  assert.deepEqual([stat?.gid, stat?.mode], [2000, 0o2777]);
  await harness.stop();
});
