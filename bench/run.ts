/**
 * `npm run bench [-- idle writes reads lists watches cluster]`: measures k8ts, beside etcd with kube-apiserver where
 * Go can build them, with the same client in the same run; writes docs/reference/performance.md when all were run.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  measureIdle,
  measureLists,
  measureReads,
  type Measurement,
  measureWatches,
  measureWrites,
} from './api-benches.ts';
import { measureCluster } from './cluster-benches.ts';
import { ensureBundles } from '../scripts/bundle.ts';
import { type Peer, startK8ts, startUpstream } from './peers.ts';

const API_BENCHES: Readonly<Record<string, (peer: Peer) => Promise<readonly Measurement[]>>> = {
  idle: measureIdle,
  writes: measureWrites,
  reads: measureReads,
  lists: measureLists,
  watches: async (peer) => {
    const measured: Measurement[] = [];
    // Upstream ends the watches of readers that cannot follow many writers; with few it ends hardly any.
    for (const watchers of [100, 1_000])
      for (const writers of [8, 32]) measured.push(await measureWatches(peer, watchers, writers));
    return measured;
  },
};

interface Row extends Measurement {
  readonly bench: string;
  readonly upstream?: number;
}

await ensureBundles();
const asked = process.argv.slice(2);
const wanted = (name: string): boolean => asked.length === 0 || asked.includes(name);
const hasGo = spawnSync('go', ['version']).status === 0;
if (!hasGo) console.log('Go is not installed: upstream is left out');

const round = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(value < 10 ? 2 : 1);

function ratio({ value, upstream, better }: Row): string {
  if (upstream === undefined || upstream === 0 || value === 0) return '';
  return `${(better === 'higher' ? value / upstream : upstream / value).toFixed(1)}×`;
}

const rows: Row[] = [];
for (const [bench, measure] of Object.entries(API_BENCHES)) {
  if (!wanted(bench)) continue;
  const ours = await (async () => {
    await using peer = await startK8ts();
    return await measure(peer);
  })();
  const theirs = hasGo
    ? await (async () => {
        await using peer = await startUpstream();
        return await measure(peer);
      })()
    : [];
  for (const [index, measurement] of ours.entries()) {
    const row = { ...measurement, bench, upstream: theirs[index]?.value };
    rows.push(row);
    console.log(
      `${row.name}: ${round(row.value)} ${row.unit}${row.upstream === undefined ? '' : `, upstream ${round(row.upstream)}: ${ratio(row)}`}`,
    );
  }
}
if (wanted('cluster') && process.getuid?.() === 0) {
  for (const measurement of await measureCluster()) {
    rows.push({ ...measurement, bench: 'cluster' });
    console.log(`${measurement.name}: ${round(measurement.value)} ${measurement.unit}`);
  }
}

if (asked.length === 0) {
  const table = rows.map(
    (row) =>
      `| ${row.name} | ${round(row.value)} ${row.unit} | ${row.upstream === undefined ? '' : `${round(row.upstream)} ${row.unit}`} | ${ratio(row)} | \`npm run bench -- ${row.bench}\` |`,
  );
  const path = fileURLToPath(new URL('../docs/reference/performance.md', import.meta.url));
  writeFileSync(
    path,
    `# Performance

Written by \`npm run bench\` on ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.versions.node}. k8ts: the
server process on the embedded store, with controllers and scheduler. Upstream: etcd 3.6 and kube-apiserver 1.36,
built from their Go modules, with their defaults, without controllers and scheduler. Same client program, same run,
one after the other on the same cores; a create is answered when it is durable on both. Last column: how to measure
the line again; lines of one command are of one run. A ratio above 1 is in favour of k8ts.

Writers write as fast as they are answered. Upstream ends the watches of readers that fall too far behind; they go on
from the last version they have seen, as clients do.

| what | k8ts | upstream | ratio | command |
|---|---|---|---|---|
${table.join('\n')}
`,
  );
}
