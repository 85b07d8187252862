/** What breaks is put right: killed containers, deleted pods, killed server and agent. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readProcessRecords } from '../../src/launcher/process-record.ts';
import {
  containerIdOf,
  pidOf,
  podsOf,
  type PodView,
  webManifest,
  whyNoContainers,
} from '../tools/containers.ts';
import { eventually } from '../tools/eventually.ts';
import { TestCluster } from '../tools/test-cluster.ts';

const cluster = new TestCluster('e2e-heal');

const KINDS = 'deployments,replicasets,services,endpointslices,configmaps,secrets,serviceaccounts,roles';

async function ask(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(3000) });
  return (await response.text()).trim();
}

async function serviceUrl(name: string): Promise<string> {
  return `http://${await cluster.mustKubectl(['get', 'service', name, '-o', 'jsonpath={.spec.clusterIP}'])}/`;
}

async function readyPods(count: number): Promise<readonly PodView[]> {
  return eventually(`${count} ready pods`, async () => {
    const pods = await podsOf(cluster, 'app=web');
    assert.equal(pods.filter((pod) => pod.status.containerStatuses?.[0]?.ready === true).length, count);
    assert.equal(pods.length, count);
    return pods;
  });
}

async function endpointAddresses(): Promise<readonly string[]> {
  const path = 'jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses[0]}';
  const text = await cluster.mustKubectl([
    ...['get', 'endpointslices', '-l', 'kubernetes.io/service-name=web', '-o', path],
  ]);
  return text.split(' ').toSorted();
}

const addressesOf = (pods: readonly PodView[]): readonly string[] =>
  pods.map(({ status }) => status.podIP ?? '').toSorted();

/** Every object of the namespaces as it is stored. */
async function objects(): Promise<readonly string[]> {
  const text = await cluster.mustKubectl(['get', KINDS, '--all-namespaces', '-o', 'json']);
  const { items } = JSON.parse(text) as { readonly items: readonly unknown[] };
  return items.map((item) => JSON.stringify(item));
}

function killProcesses(): void {
  const records = readProcessRecords(`${cluster.folder}/run/${cluster.name}`);
  assert.deepEqual(records.map(({ role }) => role).toSorted(), ['agent', 'server']);
  for (const { pid } of records) process.kill(pid, 'SIGKILL');
}

describe('recovery', { skip: whyNoContainers() ?? false }, () => {
  before(async () => {
    await cluster.up();
    await cluster.mustKubectl(['apply', '-f', '-'], { input: webManifest({ replicas: 2 }) });
    await cluster.mustKubectl(['wait', '--for=condition=Available', 'deployment/web', '--timeout=60s']);
  });
  after(() => cluster.clear());

  it('restarts a container whose process is killed, and says so', async () => {
    const [pod] = await readyPods(2);
    assert.ok(pod !== undefined);
    const oldId = containerIdOf(pod);
    process.kill(pidOf(cluster, oldId), 'SIGKILL');
    const status = await eventually('the container runs again', async () => {
      const now = (await podsOf(cluster, 'app=web')).find(
        ({ metadata }) => metadata.uid === pod.metadata.uid,
      );
      const container = now?.status.containerStatuses?.[0];
      assert.equal(container?.restartCount, 1);
      assert.equal(container.ready, true);
      return container;
    });
    assert.equal(status.lastState.terminated?.exitCode, 137);
    assert.equal(status.lastState.terminated?.reason, 'Error');
    assert.notEqual(status.containerID, `k8ts://${oldId}`);
    const table = await cluster.mustKubectl(['get', 'pod', pod.metadata.name, '--no-headers']);
    assert.match(table, /1\/1 +Running +1 \(\d+s ago\)/);
    assert.match(
      await cluster.mustKubectl(['describe', 'pod', pod.metadata.name]),
      /Last State: +Terminated\n +Reason: +Error\n +Exit Code: +137/,
    );
  });

  it('waits longer before each restart of a container that keeps failing', async () => {
    await cluster.mustKubectl([
      'run',
      'broken',
      '--image=k8ts.local/base',
      '--',
      'sh',
      '-c',
      'echo broke; exit 3',
    ]);
    await eventually('it backs off', async () => {
      const table = await cluster.mustKubectl(['get', 'pod', 'broken', '--no-headers']);
      assert.match(table, /CrashLoopBackOff/);
    });
    await eventually('an event says so', async () => {
      const about = '--field-selector=involvedObject.name=broken';
      const events = await cluster.mustKubectl(['get', 'events', about]);
      assert.match(events, /BackOff .*Back-off restarting failed container broken in pod broken_default/);
    });
    assert.equal(await cluster.mustKubectl(['logs', 'broken', '--previous']), 'broke\n');
    await cluster.mustKubectl(['delete', 'pod', 'broken', '--now']);
  });

  it('replaces a deleted pod', async () => {
    const [pod] = await readyPods(2);
    assert.ok(pod !== undefined);
    await cluster.mustKubectl(['delete', 'pod', pod.metadata.name]);
    const pods = await readyPods(2);
    assert.ok(!pods.some(({ metadata }) => metadata.uid === pod.metadata.uid));
    await eventually('endpoints follow', async () =>
      assert.deepEqual(await endpointAddresses(), addressesOf(pods)),
    );
  });

  it('loses nothing when server and agent are killed: containers run on, services answer', async () => {
    const pods = await readyPods(2);
    await eventually('endpoints are right', async () =>
      assert.deepEqual(await endpointAddresses(), addressesOf(pods)),
    );
    const url = await serviceUrl('web');
    const containers = pods.map((pod) => ({
      id: containerIdOf(pod),
      pid: pidOf(cluster, containerIdOf(pod)),
    }));
    const stored = await objects();
    const names = pods.map(({ metadata }) => metadata.name);

    killProcesses();
    for (let i = 0; i < 6; i++)
      assert.ok(names.includes(await ask(url)), 'the service answers while nobody is there');

    await cluster.mustK8ts(['up']);
    assert.deepEqual(await objects(), stored);
    const now = await readyPods(2);
    assert.deepEqual(
      now.map((pod) => ({ id: containerIdOf(pod), pid: pidOf(cluster, containerIdOf(pod)) })),
      containers,
    );
    assert.deepEqual(
      now.map(({ status }) => status.containerStatuses?.[0]?.restartCount),
      pods.map(({ status }) => status.containerStatuses?.[0]?.restartCount),
    );
    await eventually('endpoints are right again', async () =>
      assert.deepEqual(await endpointAddresses(), addressesOf(pods)),
    );
    assert.ok(names.includes(await ask(url)));
  });

  it('goes on working after that', async () => {
    await cluster.mustKubectl(['scale', 'deployment/web', '--replicas=4']);
    const pods = await readyPods(4);
    const url = await serviceUrl('web');
    await eventually('all four answer', async () => {
      const answers = await Promise.all(Array.from({ length: 32 }, () => ask(url)));
      assert.deepEqual(
        [...new Set(answers)].toSorted(),
        pods.map(({ metadata }) => metadata.name).toSorted(),
      );
    });
    const [pod] = pods;
    assert.equal(
      (await cluster.mustKubectl(['exec', pod?.metadata.name ?? '', '--', 'hostname'])).trim(),
      pod?.metadata.name,
    );
  });

  it('notices, when it comes back, what happened while it was away', async () => {
    const [pod] = await readyPods(4);
    assert.ok(pod !== undefined);
    const restarts = pod.status.containerStatuses?.[0]?.restartCount ?? 0;
    const pid = pidOf(cluster, containerIdOf(pod));
    killProcesses();
    process.kill(pid, 'SIGKILL');
    await cluster.mustK8ts(['up']);
    await eventually('the container that died meanwhile runs again', async () => {
      const now = (await podsOf(cluster, 'app=web')).find(
        ({ metadata }) => metadata.uid === pod.metadata.uid,
      );
      const container = now?.status.containerStatuses?.[0];
      assert.equal(container?.restartCount, restarts + 1);
      assert.equal(container.ready, true);
      assert.equal(container.lastState.terminated?.exitCode, 137);
    });
  });
});
