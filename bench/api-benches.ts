/** What is measured of an API server, each against a peer that was started fresh. */
import { performance } from 'node:perf_hooks';
import type { Http2Client } from './http2-client.ts';
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

/** An odd number: the one in the middle counts. */
const LISTS = 11;

export async function measureLists(peer: Peer): Promise<readonly Measurement[]> {
  const creates = await createPods(peer);
  using client = await LoadClient.connect(peer, 1);
  const times: number[] = [];
  for (let i = 0; i < LISTS; i++) {
    const startedAt = performance.now();
    const bytes = await client.count(0, PODS_PATH);
    times.push(performance.now() - startedAt);
    if (bytes < PODS * 1_000) throw new Error(`${peer.name} listed ${bytes} bytes`);
  }
  const median = times.sort((a, b) => a - b)[(LISTS - 1) / 2] ?? 0;
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

/**
 * Opens watchers, lets writers write as fast as they are answered, counts events at the watchers. A server may end
 * the watch of a reader that it finds too slow; the reader goes on from the last version it has seen, as clients do.
 */
export async function measureWatches(peer: Peer, watchers: number, writers: number): Promise<Measurement> {
  using client = await LoadClient.connect(peer, 10);
  using writer = await LoadClient.connect(peer, 1);
  const start = await currentVersion(client);
  const readers = Array.from(
    { length: watchers },
    (_, index) => new Reader(client.connection(index), CONFIG_MAPS, start),
  );
  await Promise.all(readers.map((reader) => reader.open()));
  const delivered = (): number => readers.reduce((sum, reader) => sum + reader.events, 0);
  await wait(2);
  const before = delivered();
  const startedAt = performance.now();
  const end = startedAt + SECONDS * 1000;
  await Promise.all(
    Array.from({ length: writers }, async (_, index) => {
      while (performance.now() < end) {
        const { status } = await writer.send(index, 'POST', CONFIG_MAPS, configMap(`w-${unique++}`));
        if (status !== 201) throw new Error(`${peer.name} answered ${status} to a write`);
      }
    }),
  );
  const value = ((delivered() - before) / (performance.now() - startedAt)) * 1000;
  for (const { failure } of readers) if (failure !== undefined) throw failure;
  const reopened = readers.reduce((sum, reader) => sum + reader.reopened, 0);
  if (reopened > 0) console.log(`${peer.name} ended ${reopened} watches of ${watchers} readers, who went on`);
  return {
    name: `deliveries/s to ${watchers} watchers, ${writers} writers`,
    unit: '/s',
    value,
    better: 'higher',
  };
}

/** Keeps one watch open and counts what it brings. */
class Reader {
  readonly #connection: Http2Client;
  readonly #path: string;
  #version: string;
  #last: Buffer = Buffer.alloc(0);
  events = 0;
  reopened = 0;
  failure: Error | undefined;

  constructor(connection: Http2Client, path: string, version: string) {
    this.#connection = connection;
    this.#path = path;
    this.#version = version;
  }

  /** Resolves when the server has answered. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const path = `${this.#path}?watch=true&resourceVersion=${this.#version}`;
      this.#connection.request('GET', path, undefined, {
        head: (status) => {
          if (status === 200) return resolve();
          this.failure = new Error(`a watch was answered with ${status}`);
          reject(this.failure);
        },
        data: (bytes) => {
          for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) this.events++;
          this.#last = bytes;
        },
        end: (error) => {
          if (error !== undefined) this.failure = error;
          else if (this.failure === undefined) this.#goOn();
        },
      });
    });
  }

  #goOn(): void {
    const seen = this.#last.toString('latin1').matchAll(/"resourceVersion":"(\d+)"/g);
    this.#version = [...seen].at(-1)?.[1] ?? this.#version;
    this.reopened++;
    this.open().catch((error: Error) => (this.failure = error));
  }
}

const NEWLINE = 10;
