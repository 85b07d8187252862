import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import type { Files } from '#platform';
import { VirtualClock } from '#testing';
import { testPod } from '../pods/pod.fixture.ts';
import { createMemoryFiles } from '../simulated/memory-files.ts';
import { weightOfShares } from './cgroup-v2.ts';
import { createCgroupManager } from './pod-cgroups.ts';

const pod = (uid: string, resources: coreV1.ResourceRequirements): coreV1.Pod => {
  const made = testPod({ containers: [{ name: 'app', resources }] });
  return { ...made, metadata: { ...made.metadata, uid } };
};

async function read(files: Files, path: string): Promise<string> {
  return (await files.readFile(`/sys/fs/cgroup/${path}`)).toString();
}

test('On cgroup v1 each class of service has its place and each pod its limits in every controller', async () => {
  const files = createMemoryFiles(new VirtualClock());
  for (const controller of ['cpu', 'memory', 'pids', 'devices']) {
    await files.mkdir(`/sys/fs/cgroup/${controller}`, { recursive: true });
  }
  const manager = await createCgroupManager({ files, root: '/k8ts', podPids: 100 });
  await manager.start();
  const limited = pod('a', {
    limits: { cpu: '500m', memory: '64Mi' },
    requests: { cpu: '500m', memory: '64Mi' },
  });
  const burstable = pod('b', { requests: { cpu: '250m' } });
  await manager.ensure(limited);
  await manager.ensure(burstable);
  assert.equal(manager.pathOf(limited), '/k8ts/poda');
  assert.equal(manager.pathOf(burstable), '/k8ts/burstable/podb');
  assert.equal(manager.pathOf(pod('c', {})), '/k8ts/besteffort/podc');
  assert.equal(await read(files, 'cpu/k8ts/poda/cpu.shares'), '512');
  assert.equal(await read(files, 'cpu/k8ts/poda/cpu.cfs_quota_us'), '50000');
  assert.equal(await read(files, 'memory/k8ts/poda/memory.limit_in_bytes'), '67108864');
  assert.equal(await read(files, 'pids/k8ts/poda/pids.max'), '100');
  assert.equal(await read(files, 'cpu/k8ts/burstable/podb/cpu.cfs_quota_us'), '-1');
  assert.equal(await read(files, 'cpu/k8ts/burstable/cpu.shares'), '256');
  assert.equal(await read(files, 'cpu/k8ts/besteffort/cpu.shares'), '2');
  assert.deepEqual(await manager.podUids(), ['a', 'b']);
});

test('On cgroup v2 controllers are handed down and limits are written in its own units', async () => {
  const files = createMemoryFiles(new VirtualClock());
  const folders = ['', '/k8ts', '/k8ts/burstable', '/k8ts/besteffort', '/k8ts/poda'];
  for (const folder of folders) {
    await files.mkdir(`/sys/fs/cgroup${folder}`, { recursive: true });
    await files.writeFile(`/sys/fs/cgroup${folder}/cgroup.controllers`, 'cpu memory pids\n');
    await files.writeFile(`/sys/fs/cgroup${folder}/cgroup.subtree_control`, '\n');
  }
  const manager = await createCgroupManager({ files, root: 'k8ts' });
  await manager.start();
  await manager.ensure(pod('a', { limits: { cpu: '1', memory: '1Gi' } }));
  assert.equal(await read(files, 'k8ts/cgroup.subtree_control'), '+cpu +memory +pids');
  assert.equal(await read(files, 'k8ts/poda/cpu.max'), '100000 100000');
  assert.equal(await read(files, 'k8ts/poda/memory.max'), '1073741824');
  assert.equal(await read(files, 'k8ts/poda/cpu.weight'), String(weightOfShares(1024)));
  assert.equal(await read(files, 'k8ts/poda/pids.max'), 'max');
});

test('Shares become weights over the whole range', () => {
  assert.deepEqual([2, 1024, 262_144].map(weightOfShares), [1, 39, 10_000]);
});
