/** What is measured of an API server, each against a peer that was started fresh. */
import { performance } from 'node:perf_hooks';
import { LoadClient, throughput } from './load.ts';
import type { Peer } from './peers.ts';

export interface Measurement {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  /** Which direction is better. */
  readonly better: 'higher' | 'lower';
}

const SECONDS = 5;
const IDLE_SECONDS = 20;
const PODS = 10_000;
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PODS_PATH = '/api/v1/namespaces/default/pods';
/** About two kilobytes. */
const DATA = { value: 'x'.repeat(1_900) };

let unique = 0;

const configMap = (name: string): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: DATA });

function pod(name: string): string {
  const env = Array.from({ length: 20 }, (_, i) => ({ name: `VARIABLE_${i}`, value: `value number ${i}` }));
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'bench', tier: 'back' } },
    spec: {
      // Nobody schedules it: what is measured is the API server.
      schedulerName: 'nobody',
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'main',
          image: 'registry.example/app:1',
          env,
          ports: [{ containerPort: 80 }],
          resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
          livenessProbe: { httpGet: { path: '/', port: 80 } },
        },
      ],
    },
  });
}

const wait = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

export async function measureIdle(peer: Peer): Promise<readonly Measurement[]> {
  await wait(5);
  const before = peer.cpuMs();
  await wait(IDLE_SECONDS);
  const share = (peer.cpuMs() - before) / (IDLE_SECONDS * 10);
  return [
    { name: 'process start → /readyz', unit: 'ms', value: peer.readyMs, better: 'lower' },
    { name: 'idle memory', unit: 'MB', value: peer.memoryBytes() / 1e6, better: 'lower' },
    { name: 'idle CPU', unit: '% of a core', value: share, better: 'lower' },
  ];
}

export async function measureWrites(peer: Peer): Promise<readonly Measurement[]> {
  const results: Measurement[] = [];
  for (const clients of [1, 16, 64]) {
    const value = await throughput(peer, clients, SECONDS, (client, index) =>
      client.send(index, 'POST', CONFIG_MAPS, configMap(`b-${unique++}`)),
    );
    results.push({ name: `creates/s, ${clients} clients`, unit: '/s', value, better: 'higher' });
  }
  return results;
}

export async function measureReads(peer: Peer): Promise<readonly Measurement[]> {
  const name = `read-${unique++}`;
  using client = await LoadClient.connect(peer, 1);
  await client.send(0, 'POST', CONFIG_MAPS, configMap(name));
  const results: Measurement[] = [];
  for (const clients of [16, 64]) {
    const value = await throughput(peer, clients, SECONDS, (load, index) =>
      load.send(index, 'GET', `${CONFIG_MAPS}/${name}`),
    );
    results.push({ name: `gets/s, ${clients} clients`, unit: '/s', value, better: 'higher' });
  }
  return results;
}

async function createPods(peer: Peer): Promise<number> {
  using client = await LoadClient.connect(peer, 2);
  const account = JSON.stringify({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } });
  await client.send(0, 'POST', '/api/v1/namespaces/default/serviceaccounts', account);
  let next = 0;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: 32 }, async (_, index) => {
      while (next < PODS) {
        const { status, body } = await client.send(index, 'POST', PODS_PATH, pod(`pod-${next++}`));
        if (status !== 201)
          throw new Error(`${peer.name} answered ${status}: ${body.toString().slice(0, 300)}`);
      }
    }),
  );
  return (PODS / (performance.now() - startedAt)) * 1000;
}

export async function measureLists(peer: Peer): Promise<readonly Measurement[]> {
  const creates = await createPods(peer);
  using client = await LoadClient.connect(peer, 1);
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const startedAt = performance.now();
    const { status, body } = await client.send(0, 'GET', PODS_PATH);
    times.push(performance.now() - startedAt);
    if (status !== 200 || body.length < PODS * 1_000)
      throw new Error(`${peer.name} listed ${body.length} bytes`);
  }
  const median = times.sort((a, b) => a - b)[2] ?? 0;
  return [
    { name: 'creates of Pods/s, 32 clients', unit: '/s', value: creates, better: 'higher' },
    { name: `list of ${PODS} Pods`, unit: 'ms', value: median, better: 'lower' },
    { name: `memory with ${PODS} Pods`, unit: 'MB', value: peer.memoryBytes() / 1e6, better: 'lower' },
  ];
}

async function currentVersion(client: LoadClient): Promise<string> {
  const { body } = await client.send(0, 'GET', `${CONFIG_MAPS}?limit=1`);
  const { metadata } = JSON.parse(body.toString()) as {
    readonly metadata: { readonly resourceVersion: string };
  };
  return metadata.resourceVersion;
}

/** Opens watchers, writes as fast as they are delivered, counts events at the watchers. */
export async function measureWatches(peer: Peer, watchers: number): Promise<Measurement> {
  using client = await LoadClient.connect(peer, 10);
  using writer = await LoadClient.connect(peer, 1);
  const delivered = new Uint32Array(watchers);
  let ended = 0;
  const path = `${CONFIG_MAPS}?watch=true&resourceVersion=${await currentVersion(client)}`;
  await Promise.all(
    Array.from({ length: watchers }, (_, index) => {
      const opened = Promise.withResolvers<void>();
      client.connection(index).request('GET', path, undefined, {
        head: () => opened.resolve(),
        data: (bytes) => {
          let lines = 0;
          for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++;
          delivered[index] = (delivered[index] ?? 0) + lines;
        },
        end: () => {
          ended++;
          opened.reject(new Error(`${peer.name} ended a watch`));
        },
      });
      return opened.promise;
    }),
  );
  await wait(2);
  const end = performance.now() + SECONDS * 1000;
  const startedAt = performance.now();
  delivered.fill(0);
  let written = 0;
  // At most this far ahead of the slowest: what is measured is delivery, not queueing, and no server ends a watch.
  const AHEAD = 24;
  const WRITERS = 8;
  await Promise.all(
    Array.from({ length: WRITERS }, async (_, index) => {
      while (performance.now() < end) {
        if (written - delivered.reduce((least, count) => Math.min(least, count)) > AHEAD)
          await new Promise((resolve) => setTimeout(resolve, 1));
        else {
          written++;
          await writer.send(index, 'POST', CONFIG_MAPS, configMap(`w-${unique++}`));
        }
      }
    }),
  );
  const total = delivered.reduce((sum, count) => sum + count);
  const value = (total / (performance.now() - startedAt)) * 1000;
  if (ended > 0) throw new Error(`${peer.name} ended ${ended} of ${watchers} watches`);
  return { name: `deliveries/s to ${watchers} watchers`, unit: '/s', value, better: 'higher' };
}
