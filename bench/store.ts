/**
 * Durable puts per second of a store at 1, 16, 64 and 256 writers; 2 KB values, 1,000 keys each writer overwrites.
 *
 *     node bench/store.ts [memory] [embedded] [etcd=http://127.0.0.1:2379] [seconds=3]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '#platform';
import { systemClock } from '#platform/node';
import { connectEtcdStore, createMemoryStore, openEmbeddedStore } from '#store';
import type { Store } from '#store';

const WRITERS = [1, 16, 64, 256];
const VALUE_BYTES = 2_048;
const KEYS = 1_000;

interface Measured {
  readonly putsPerSecond: number;
  readonly cpuMicrosPerPut: number;
  readonly p99Ms: number;
}

async function measure(store: Store, writers: number, seconds: number): Promise<Measured> {
  const value = Buffer.alloc(VALUE_BYTES, 'x');
  const latencies: number[] = [];
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  const untilMs = startedMs + seconds * 1_000;
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (let at = 0; performance.now() < untilMs; at++) {
        const sentMs = performance.now();
        const key = `/registry/pods/default/pod-${writer}-${at % KEYS}`;
        await store.transact({ compare: [], writes: [{ type: 'put', key, value }] });
        latencies.push(performance.now() - sentMs);
      }
    }),
  );
  const tookMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  return {
    putsPerSecond: (latencies.length / tookMs) * 1_000,
    cpuMicrosPerPut: (user + system) / latencies.length,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
  };
}

async function report(name: string, store: Store, seconds: number): Promise<void> {
  // As the API server uses it: one watch per resource, a hundred of them, one of which sees these writes.
  for (let at = 0; at < 100; at++) {
    store.watch(`/registry/kind-${at}/`, `/registry/kind-${at}0`, { onEvents: () => undefined });
  }
  store.watch('/registry/pods/', '/registry/pods0', { onEvents: () => undefined, previousValues: false });
  for (const writers of WRITERS) {
    const { putsPerSecond, cpuMicrosPerPut, p99Ms } = await measure(store, writers, seconds);
    const figures = `${Math.round(putsPerSecond)} puts/s, ${cpuMicrosPerPut.toFixed(0)} µs CPU a put`;
    console.log(`${name} ${writers} writers: ${figures}, p99 ${p99Ms.toFixed(2)} ms`);
  }
  console.log(`${name}: ${((await store.sizeBytes()) / 2 ** 20).toFixed(0)} MiB on disk`);
  await store.close();
}

const args = process.argv.slice(2);
const option = (name: string): string | undefined =>
  args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1);
const seconds = Number(option('seconds') ?? 3);
const etcd = option('etcd');
const which = args.filter((arg) => !arg.startsWith('seconds='));
const isWanted = (name: string): boolean => which.length === 0 || which.includes(name);

if (isWanted('memory')) await report('memory', createMemoryStore({ clock: systemClock }), seconds);
if (isWanted('embedded')) {
  const folder = await mkdtemp(join(tmpdir(), 'k8ts-bench-'));
  const open = () => openEmbeddedStore({ folder, clock: systemClock, logger: silentLogger });
  await report('embedded', await open(), seconds);
  const startedMs = performance.now();
  const again = await open();
  const { count } = await again.range('/', '0', { limit: 1 });
  console.log(
    `embedded: opened again with ${count} keys in ${(performance.now() - startedMs).toFixed(0)} ms`,
  );
  const listedMs = performance.now();
  const { kvs } = await again.range('/', '0', { limit: 10_000 });
  console.log(`embedded: listed ${kvs.length} of them in ${(performance.now() - listedMs).toFixed(0)} ms`);
  await again.close();
  await rm(folder, { recursive: true });
}
if (etcd !== undefined) {
  const store = await connectEtcdStore({
    endpoints: etcd.split(','),
    prefix: '/bench',
    clock: systemClock,
    logger: silentLogger,
  });
  await report('etcd', store, seconds);
}
