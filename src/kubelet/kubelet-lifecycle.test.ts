import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { resources } from '#client';
import { type KubeletHarness, startKubelet } from './kubelet.fixture.ts';
import { SCRIPT_ANNOTATION } from './simulated/index.ts';

const scripted = (scripts: object): { annotations: Record<string, string> } => ({
  annotations: { [SCRIPT_ANNOTATION]: JSON.stringify(scripts) },
});
const remove = (harness: KubeletHarness, name: string, gracePeriodSeconds?: number): Promise<void> =>
  harness.client
    .resource(resources.pods, 'default')
    .delete(name, gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds });
const firstState = (pod: coreV1.Pod): coreV1.ContainerState | undefined =>
  pod.status?.containerStatuses?.[0]?.state;
const messages = (harness: KubeletHarness, reason: string): readonly string[] =>
  harness.events.filter((event) => event.reason === reason).map(({ message }) => message);

test('A pod gets its grace period, no more and no less', async () => {
  const harness = await startKubelet();
  await harness.createPod(
    'slow',
    { terminationGracePeriodSeconds: 20 },
    scripted({ app: { stopAfterMs: 3_600_000 } }),
  );
  await remove(harness, 'slow');
  await harness.clock.advance(19_000);
  assert.equal((await harness.pod('slow')).status?.phase, 'Running');
  assert.deepEqual(messages(harness, 'Killing'), ['Stopping container app']);
  await harness.clock.advance(2000);
  assert.equal(await harness.podGone('slow'), true);
  await harness.stop();
});

test('A second, shorter deletion ends a pod that is already leaving', async () => {
  const harness = await startKubelet();
  await harness.createPod(
    'slow',
    { terminationGracePeriodSeconds: 3600 },
    scripted({ app: { stopAfterMs: 3_600_000 } }),
  );
  await remove(harness, 'slow');
  await harness.clock.advance(10_000);
  await remove(harness, 'slow', 5);
  await harness.clock.advance(6000);
  assert.equal(await harness.podGone('slow'), true);
  await harness.stop();
});

test('A pod that is gone from the API is stopped all the same', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {});
  await remove(harness, 'web', 0);
  await harness.clock.advance(5000);
  assert.deepEqual(await harness.runtime.listPodSandboxes(), []);
  await harness.stop();
});

test('A preStop hook runs before the container is stopped, within the grace period', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {
    terminationGracePeriodSeconds: 30,
    containers: [{ name: 'app', image: 'app:1', lifecycle: { preStop: { sleep: { seconds: 10 } } } }],
  });
  await remove(harness, 'web');
  await harness.clock.advance(9000);
  assert.notEqual(firstState(await harness.pod('web'))?.running, undefined);
  await harness.clock.advance(2000);
  assert.equal(await harness.podGone('web'), true);
  await harness.stop();
});

test('A failed postStart hook ends the container, and the pod says why', async () => {
  const harness = await startKubelet();
  await harness.createPod(
    'web',
    {
      containers: [
        { name: 'app', image: 'app:1', lifecycle: { postStart: { exec: { command: ['fail', 'now'] } } } },
      ],
    },
    scripted({ app: { exec: { fail: { exitCode: 1, output: 'no luck' } } } }),
  );
  assert.ok(harness.reasons('web').includes('FailedPostStartHook'));
  await harness.clock.advance(1000);
  const last = (await harness.pod('web')).status?.containerStatuses?.[0];
  assert.notEqual(last?.state?.waiting ?? last?.state?.terminated, undefined);
  await harness.stop();
});

test('A pod past its deadline fails', async () => {
  const harness = await startKubelet();
  await harness.createPod('job', { activeDeadlineSeconds: 60 });
  await harness.clock.advance(70_000);
  const { status } = await harness.pod('job');
  assert.deepEqual(
    [status?.phase, status?.reason, status?.message],
    ['Failed', 'DeadlineExceeded', 'Pod was active on the node longer than the specified deadline'],
  );
  assert.notEqual(firstState(await harness.pod('job'))?.terminated, undefined);
  await harness.stop();
});

test('A pod the node has no room for is refused and can be deleted', async () => {
  const harness = await startKubelet();
  await harness.createPod('huge', {
    containers: [{ name: 'app', image: 'app:1', resources: { requests: { cpu: '64' } } }],
  });
  const { status } = await harness.pod('huge');
  assert.deepEqual(
    [status?.phase, status?.reason, status?.message],
    [
      'Failed',
      'OutOfcpu',
      "Pod was rejected: Node didn't have enough resource: cpu, requested: 64000, used: 0, capacity: 4000",
    ],
  );
  assert.deepEqual(harness.reasons('huge'), ['OutOfcpu']);
  await remove(harness, 'huge');
  await harness.clock.advance(1000);
  assert.equal(await harness.podGone('huge'), true);
  await harness.stop();
});

test('Init containers run one after the other, then the rest', async () => {
  const harness = await startKubelet();
  await harness.createPod(
    'web',
    {
      initContainers: [
        { name: 'one', image: 'i:1' },
        { name: 'two', image: 'i:1' },
      ],
    },
    scripted({ one: { exitAfterMs: 1000 }, two: { exitAfterMs: 1000 } }),
  );
  const order = (): readonly string[] =>
    harness.events
      .filter(({ reason }) => reason === 'Started')
      .map(({ about }) => about.replace('web/spec.', ''));
  assert.deepEqual(order(), ['initContainers{one}']);
  await harness.clock.advance(2500);
  assert.deepEqual(order(), ['initContainers{one}', 'initContainers{two}', 'containers{app}']);
  const { status } = await harness.pod('web');
  assert.equal(status?.phase, 'Running');
  assert.deepEqual(
    status?.initContainerStatuses?.map(({ ready, state }) => [ready, state?.terminated?.reason]),
    [
      [true, 'Completed'],
      [true, 'Completed'],
    ],
  );
  await harness.stop();
});

test('A sidecar starts first, stays, and ends after the containers it serves', async () => {
  const harness = await startKubelet();
  await harness.createPod(
    'job',
    { restartPolicy: 'Never', initContainers: [{ name: 'side', image: 's:1', restartPolicy: 'Always' }] },
    scripted({ app: { exitAfterMs: 5000 } }),
  );
  assert.equal((await harness.pod('job')).status?.phase, 'Running');
  await harness.clock.advance(6000);
  const { status } = await harness.pod('job');
  assert.equal(status?.phase, 'Succeeded');
  assert.notEqual(status?.initContainerStatuses?.[0]?.state?.terminated, undefined);
  await harness.stop();
});

test('A container that fails its liveness probe is restarted', async () => {
  const harness = await startKubelet();
  const probe: coreV1.Probe = { httpGet: { port: 80 }, periodSeconds: 10, failureThreshold: 3 };
  await harness.createPod(
    'web',
    { containers: [{ name: 'app', image: 'app:1', livenessProbe: probe }] },
    scripted({ app: { failProbes: ['http'] } }),
  );
  await harness.clock.advance(19_000);
  assert.equal((await harness.pod('web')).status?.containerStatuses?.[0]?.restartCount, 0);
  assert.deepEqual(messages(harness, 'Unhealthy'), [
    'Liveness probe failed: simulated http failure',
    'Liveness probe failed: simulated http failure',
  ]);
  await harness.clock.advance(2000);
  assert.deepEqual(messages(harness, 'Killing'), ['Container app failed liveness probe, will be restarted']);
  assert.equal((await harness.pod('web')).status?.containerStatuses?.[0]?.restartCount, 1);
  await harness.stop();
});

test('A container that fails its readiness probe runs and is not ready', async () => {
  const harness = await startKubelet();
  await harness.createPod(
    'web',
    { containers: [{ name: 'app', image: 'app:1', readinessProbe: { tcpSocket: { port: 80 } } }] },
    scripted({ app: { failProbes: ['tcp'] } }),
  );
  await harness.clock.advance(60_000);
  const { status } = await harness.pod('web');
  assert.equal(status?.phase, 'Running');
  assert.equal(status?.containerStatuses?.[0]?.ready, false);
  assert.equal(status?.containerStatuses?.[0]?.started, true);
  await harness.stop();
});

test('What runs without a pod in the API is removed when the kubelet starts', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {});
  await harness.kubelet.stop();
  await remove(harness, 'web', 0);
  await harness.restart();
  assert.deepEqual(await harness.runtime.listPodSandboxes(), []);
  assert.deepEqual(await harness.files.list('/var/lib/k8ts/kubelet/pods'), []);
  await harness.stop();
});

test('A container that ended while no kubelet was there is restarted by the next one', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {}, scripted({ app: [{ exitAfterMs: 60_000, exitCode: 2 }, {}] }));
  await harness.kubelet.stop();
  await harness.clock.advance(120_000);
  await harness.restart();
  const [app] = (await harness.pod('web')).status?.containerStatuses ?? [];
  assert.equal(app?.restartCount, 1);
  assert.equal(app?.lastState?.terminated?.exitCode, 2);
  assert.notEqual(app?.state?.running, undefined);
  await harness.stop();
});

test('An ephemeral container is started in a running pod', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {});
  const pods = harness.client.resource(resources.pods, 'default');
  const pod = await pods.get('web');
  await pods.update({
    ...pod,
    spec: { ...pod.spec, ephemeralContainers: [{ name: 'debug', image: 'd:1', targetContainerName: 'app' }] },
  });
  await harness.clock.settle();
  const [debug] = (await harness.pod('web')).status?.ephemeralContainerStatuses ?? [];
  assert.notEqual(debug?.state?.running, undefined);
  await harness.stop();
});

test('Changed limits reach a running container without a restart', async () => {
  const harness = await startKubelet();
  const resourcesOf = (cpu: string): coreV1.PodSpec['containers'] => [
    { name: 'app', image: 'app:1', resources: { limits: { cpu, memory: '64Mi' } } },
  ];
  await harness.createPod('web', { containers: resourcesOf('500m') });
  const pods = harness.client.resource(resources.pods, 'default');
  const pod = await pods.get('web');
  await pods.update({ ...pod, spec: { ...pod.spec, containers: resourcesOf('2') } });
  await harness.clock.settle();
  const [container] = await harness.runtime.listContainers();
  const { resources: given } = await harness.runtime.containerStatus(container?.id ?? '');
  assert.deepEqual([given.cpuQuota, given.cpuShares], [200_000, 2048]);
  const { status } = await harness.pod('web');
  assert.equal(status.containerStatuses?.[0]?.restartCount, 0);
  assert.deepEqual(status.containerStatuses?.[0]?.resources, { limits: { cpu: '2', memory: '64Mi' } });
  await harness.stop();
});

test('A container that asks to be restarted for new memory is', async () => {
  const harness = await startKubelet();
  const containers = (memory?: string): coreV1.PodSpec['containers'] => [
    {
      name: 'app',
      image: 'app:1',
      resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }],
      resources: { requests: { cpu: '100m' }, ...(memory === undefined ? {} : { limits: { memory } }) },
    },
  ];
  await harness.createPod('web', { containers: containers() });
  const pods = harness.client.resource(resources.pods, 'default');
  const pod = await pods.get('web');
  await pods.update({ ...pod, spec: { ...pod.spec, containers: containers('64Mi') } });
  await harness.clock.settle();
  assert.deepEqual(messages(harness, 'Killing'), ['Container app resize requires restart']);
  assert.equal((await harness.pod('web')).status.containerStatuses?.[0]?.restartCount, 1);
  await harness.stop();
});

test('A rejected pod keeps its status when the kubelet comes back', async () => {
  const harness = await startKubelet();
  await harness.createPod('huge', {
    containers: [{ name: 'app', image: 'app:1', resources: { requests: { cpu: '64' } } }],
  });
  const before = await harness.pod('huge');
  await harness.restart();
  assert.deepEqual((await harness.pod('huge')).status, before.status);
  await harness.stop();
});

test('An idle pod costs no request', async () => {
  const harness = await startKubelet();
  await harness.createPod('web', {});
  const before = (await harness.pod('web')).metadata.resourceVersion;
  await harness.clock.advance(600_000);
  assert.equal((await harness.pod('web')).metadata.resourceVersion, before);
  await harness.stop();
});

test('Hundreds of pods on one node are all running in the end', async () => {
  const harness = await startKubelet({ maxPods: 2000 });
  for (let i = 0; i < 300; i++) {
    await harness.client.resource(resources.pods, 'default').create({
      metadata: { name: `p${i}` },
      spec: { nodeName: 'node-1', containers: [{ name: 'app', image: 'app:1' }] },
    });
  }
  await harness.clock.advance(5000);
  const { items } = await harness.client.resource(resources.pods, 'default').list();
  assert.equal(items.filter(({ status }) => status?.phase === 'Running').length, 300);
  await harness.stop();
});
