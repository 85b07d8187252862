/** The kubelet on the real engine: real containers, files and cgroups. Needs Linux, root, runc and conmon. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { coreV1 } from '#api';
import { type Client, createInformerFactory, resources } from '#client';
import { createEngine, type Engine } from '#engine';
import { silentLogger } from '#platform';
import { nodeFiles, nodeProcesses, nodeSockets, systemClock, systemRandom } from '#platform/node';
import { API_SERVER_ALONE, startCluster, type TestCluster } from '#testing';
import { removeTree } from './cgroups/cgroup-tree.ts';
import { createCgroupManager } from './cgroups/pod-cgroups.ts';
import { createKubelet, type Kubelet } from './kubelet.ts';
import { readMachineInfo } from './node/machine-info.ts';
import { MountTable } from './volumes/mount-table.ts';

const NODE = 'node-1';
const skip = process.platform !== 'linux' || process.getuid?.() !== 0 ? 'needs Linux and root' : false;
const folder = mkdtempSync(join(tmpdir(), 'k8ts-kubelet-'));
const stateDir = mkdtempSync('/run/k8ts-kubelet-test-');
const cgroup = `/k8ts-test-${process.pid}`;

let api: TestCluster;
let admin: Client;
let engine: Engine;
let kubelet: Kubelet;

async function startNode(): Promise<Kubelet> {
  const client = api.clientFor({
    name: `system:node:${NODE}`,
    groups: ['system:nodes', 'system:authenticated'],
  });
  const common = { client, clock: systemClock, random: systemRandom, logger: silentLogger };
  const started = createKubelet({
    ...common,
    nodeName: NODE,
    informers: createInformerFactory(common),
    events: { record: () => undefined },
    runtime: engine.runtime,
    images: engine.images,
    files: nodeFiles,
    processes: nodeProcesses,
    sockets: nodeSockets,
    machine: await readMachineInfo({ files: nodeFiles, processes: nodeProcesses, rootDir: folder }),
    nodeIps: ['127.0.0.1'],
    clusterDns: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    rootDir: join(folder, 'kubelet'),
    memoryDir: join(stateDir, 'kubelet'),
    logDir: join(folder, 'logs'),
    cgroups: await createCgroupManager({ files: nodeFiles, root: cgroup }),
  });
  await started.start();
  return started;
}

before(async () => {
  if (skip !== false) return;
  api = await startCluster(API_SERVER_ALONE);
  admin = api.client;
  await admin.resource(resources.serviceAccounts, 'default').create({ metadata: { name: 'default' } });
  await admin
    .resource(resources.configMaps, 'default')
    .create({ metadata: { name: 'kube-root-ca.crt' }, data: { 'ca.crt': 'x' } });
  const common = { clock: systemClock, random: systemRandom, logger: silentLogger };
  engine = await createEngine({ ...common, rootDir: join(folder, 'engine'), stateDir });
  await engine.makeBaseImage();
  kubelet = await startNode();
});

after(async () => {
  if (skip === false) {
    await kubelet.stop();
    await engine.cleanup();
    // What a failed test left mounted.
    await new MountTable({ files: nodeFiles, processes: nodeProcesses }).unmountAll(folder);
    await api.stop();
    for (const controller of await nodeFiles.list('/sys/fs/cgroup')) {
      await removeTree(nodeFiles, `/sys/fs/cgroup/${controller}${cgroup}`);
    }
  }
  rmSync(folder, { recursive: true, force: true });
  rmSync(stateDir, { recursive: true, force: true });
});

const pods = () => admin.resource(resources.pods, 'default');

/** Resolves with the pod once `holds`. @throws when the test's own time limit ends it. */
async function until(
  name: string,
  holds: (pod: coreV1.Pod | undefined) => boolean,
): Promise<coreV1.Pod | undefined> {
  const fieldSelector = `metadata.name=${name}`;
  const stop = new AbortController();
  try {
    for await (const event of await pods().watch({
      fieldSelector,
      sendInitialEvents: true,
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: true,
      signal: stop.signal,
    })) {
      if (event.type === 'DELETED' && holds(undefined)) return undefined;
      if ((event.type === 'ADDED' || event.type === 'MODIFIED') && holds(event.object)) return event.object;
    }
  } finally {
    stop.abort();
  }
  throw new Error('the watch ended');
}

const isReady = (pod: coreV1.Pod | undefined): boolean =>
  pod?.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

test('A real pod runs with its configuration, is ready, and leaves nothing behind', {
  skip,
  timeout: 60_000,
}, async () => {
  await admin
    .resource(resources.configMaps, 'default')
    .create({ metadata: { name: 'settings' }, data: { color: 'blue' } });
  await pods().create({
    metadata: { name: 'web' },
    spec: {
      nodeName: NODE,
      terminationGracePeriodSeconds: 1,
      initContainers: [
        {
          name: 'prepare',
          image: 'k8ts.local/base',
          command: ['sh', '-c', 'echo ready > /data/state'],
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
      ],
      containers: [
        {
          name: 'app',
          image: 'k8ts.local/base',
          command: [
            'sh',
            '-c',
            'echo $(COLOR) $(cat /etc/app/color) $(cat /data/state) $(hostname); exec sleep 3600',
          ],
          env: [{ name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } }],
          volumeMounts: [
            { name: 'config', mountPath: '/etc/app' },
            { name: 'data', mountPath: '/data' },
          ],
          readinessProbe: {
            exec: { command: ['test', '-s', '/var/run/secrets/kubernetes.io/serviceaccount/token'] },
          },
          resources: { limits: { memory: '64Mi', cpu: '500m' } },
        },
      ],
      volumes: [
        { name: 'config', configMap: { name: 'settings' } },
        { name: 'data', emptyDir: { medium: 'Memory' } },
      ],
    },
  });
  const pod = await until('web', isReady);
  const [app] = pod?.status.containerStatuses ?? [];
  const id = app?.containerID?.replace(/^.*:\/\//, '') ?? '';
  const { logPath } = await engine.runtime.containerStatus(id);
  assert.match((await nodeFiles.readFile(logPath)).toString(), /stdout F blue blue ready web\n/);
  assert.equal(pod?.status.qosClass, 'Burstable');
  await pods().delete('web');
  await until('web', (gone) => gone === undefined);
  // The API object goes first; what is left on the node follows.
  while ((await engine.runtime.listPodSandboxes()).length > 0) await systemClock.sleep(20);
  assert.deepEqual(await engine.runtime.listContainers(), []);
});

test('A container that fails tells its last words and is restarted', { skip, timeout: 60_000 }, async () => {
  await pods().create({
    metadata: { name: 'fails' },
    spec: {
      nodeName: NODE,
      restartPolicy: 'Never',
      containers: [
        {
          name: 'app',
          image: 'k8ts.local/base',
          command: ['sh', '-c', 'echo goodbye > /dev/termination-log; exit 7'],
        },
      ],
    },
  });
  const pod = await until('fails', (one) => one?.status.phase === 'Failed');
  const ended = pod?.status.containerStatuses?.[0]?.state?.terminated;
  assert.deepEqual([ended?.exitCode, ended?.reason, ended?.message], [7, 'Error', 'goodbye\n']);
  await pods().delete('fails');
});

test('Containers outlive the kubelet and are adopted', { skip, timeout: 60_000 }, async () => {
  await pods().create({
    metadata: { name: 'stays' },
    spec: {
      nodeName: NODE,
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'app', image: 'k8ts.local/base', command: ['sleep', '3600'] }],
    },
  });
  const first = await until('stays', isReady);
  await kubelet.stop();
  kubelet = await startNode();
  const again = await pods().get('stays');
  assert.equal(
    again.status.containerStatuses?.[0]?.containerID,
    first?.status.containerStatuses?.[0]?.containerID,
  );
  assert.equal(again.status.containerStatuses?.[0]?.restartCount, 0);
  await pods().delete('stays');
  await until('stays', (gone) => gone === undefined);
});
