/** What is measured of a whole cluster with real containers. Root only. */
import { performance } from 'node:perf_hooks';
import { type Client, createClient, httpEndpoint, loadKubeconfig, resources } from '#client';
import { silentLogger } from '#platform';
import { systemClock } from '#platform/node';
import { readFileSync } from 'node:fs';
import { isAlive, readProcessRecords } from '#launcher';
import { TestCluster } from '../test/tools/test-cluster.ts';
import type { Measurement } from './api-benches.ts';

const IMAGE = 'k8ts.local/base';
const RUNS = 30;
const IDLE_SECONDS = 30;

const pod = (name: string) => ({
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      { name: 'main', image: IMAGE, imagePullPolicy: 'IfNotPresent' as const, command: ['sleep', '3600'] },
    ],
  },
});

/** Milliseconds from sending the create to the watch event that says Running. */
async function createToRunning(client: Client, name: string): Promise<number> {
  const pods = client.resource(resources.pods, 'default');
  const done = new AbortController();
  const events = await pods.watch({ fieldSelector: `metadata.name=${name}`, signal: done.signal });
  const startedAt = performance.now();
  await pods.create(pod(name));
  for await (const event of events) {
    if (event.type !== 'MODIFIED' || event.object.status.phase !== 'Running') continue;
    done.abort();
    return performance.now() - startedAt;
  }
  throw new Error(`the watch of ${name} ended before it ran`);
}

function processesOf(cluster: TestCluster): readonly number[] {
  return readProcessRecords(`${cluster.env['K8TS_RUN_DIR']}/${cluster.name}`)
    .filter(isAlive)
    .map((record) => record.pid);
}

/** In MB. Both run the same program: of what is mapped from files, the larger share holds the other. */
function memoryOf(pids: readonly number[]): number {
  const shares = pids.map((pid) => {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const kilobytes = (name: string): number =>
      Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(rollup)?.[1]);
    const own = kilobytes('Anonymous');
    return { own, mapped: kilobytes('Rss') - own };
  });
  const own = shares.reduce((sum, share) => sum + share.own, 0);
  return ((own + Math.max(...shares.map(({ mapped }) => mapped))) * 1024) / 1e6;
}

function cpuMsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * 10;
  }, 0);
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

export async function measureCluster(): Promise<readonly Measurement[]> {
  await using cluster = new TestCluster('bench');
  await cluster.up();
  const results: Measurement[] = [];

  // The image is there and the cluster is not: what a second `k8ts up` takes until something runs.
  await cluster.mustKubectl(['run', 'warm', `--image=${IMAGE}`, '--', 'sleep', '1']);
  await cluster.mustKubectl(['delete', 'pod', 'warm', '--now']);
  await cluster.mustK8ts(['down']);
  const startedAt = performance.now();
  await cluster.mustK8ts(['up', '--wait', '60']);
  const upMs = performance.now() - startedAt;
  const access = loadKubeconfig(readFileSync(cluster.kubeconfig, 'utf8'));
  const endpoint = httpEndpoint({ ...access, userAgent: 'bench', clock: systemClock, logger: silentLogger });
  try {
    const client = createClient(endpoint);
    await createToRunning(client, 'first');
    results.push(
      { name: 'k8ts up (second time) → node Ready', unit: 'ms', value: upMs, better: 'lower' },
      {
        name: 'start → first pod Running',
        unit: 'ms',
        value: performance.now() - startedAt,
        better: 'lower',
      },
    );
    const times: number[] = [];
    for (let i = 0; i < RUNS; i++) times.push(await createToRunning(client, `pod-${i}`));
    times.sort((a, b) => a - b);
    results.push(
      { name: 'create → Running of a pod, p50', unit: 'ms', value: percentile(times, 0.5), better: 'lower' },
      { name: 'create → Running of a pod, p99', unit: 'ms', value: percentile(times, 0.99), better: 'lower' },
    );
    await cluster.mustKubectl(['delete', 'pods', '--all', '--now']);
    const pids = processesOf(cluster);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const before = cpuMsOf(pids);
    await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
    results.push(
      { name: 'server and agent together, idle memory', unit: 'MB', value: memoryOf(pids), better: 'lower' },
      {
        name: 'server and agent together, idle CPU',
        unit: '% of a core',
        value: (cpuMsOf(pids) - before) / (IDLE_SECONDS * 10),
        better: 'lower',
      },
    );
  } finally {
    endpoint.close();
  }
  return results;
}
