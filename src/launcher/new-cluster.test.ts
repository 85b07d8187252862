import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ClusterConfig } from './cluster-config.ts';
import { layoutOf } from './layout.ts';
import { makeClusterConfig, type NewClusterOptions } from './new-cluster.ts';

const REAL: NewClusterOptions = {
  mode: 'real',
  simulatedNodes: 0,
  store: { type: 'embedded' },
  runtimeConfig: [],
  apiPort: 0,
};

async function inFolder(
  body: (
    make: (name: string, options?: Partial<NewClusterOptions>) => Promise<ClusterConfig>,
  ) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-clusters-'));
  const env = { K8TS_DATA_DIR: folder, K8TS_RUN_DIR: join(folder, 'run') };
  // A folder that is no cluster is passed over.
  mkdirSync(join(folder, 'other'));
  writeFileSync(join(folder, 'other/cluster.json'), 'not JSON');
  try {
    await body((name, options = {}) =>
      makeClusterConfig(layoutOf(name, { uid: 0, env }), { ...REAL, ...options }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('clusters made at the same moment share no port and no addresses', () =>
  inFolder(async (make) => {
    const names = Array.from({ length: 12 }, (_, i) => `c${i}`);
    const configs = await Promise.all(names.map((name) => make(name)));
    const distinct = (of: (config: ClusterConfig) => unknown): number => new Set(configs.map(of)).size;
    assert.equal(
      distinct(({ apiPort }) => apiPort),
      12,
    );
    assert.equal(
      distinct(({ podCidr }) => podCidr),
      12,
    );
    assert.equal(
      distinct(({ serviceCidr }) => serviceCidr),
      12,
    );
  }));

test('a cluster that does not run keeps what it has; made again it is the same', () =>
  inFolder(async (make) => {
    const first = await make('first');
    const second = await make('second');
    assert.notEqual(second.apiPort, first.apiPort);
    assert.notEqual(second.podCidr, first.podCidr);
    assert.deepEqual(await make('first'), first);
  }));

test('a simulated cluster has no addresses to keep, and a port named by the user is taken as it is', () =>
  inFolder(async (make) => {
    const real = await make('real');
    const simulated = await make('sim', { mode: 'simulated', simulatedNodes: 2 });
    assert.deepEqual(simulated.nodes, ['sim-1', 'sim-2']);
    assert.equal((await make('named', { apiPort: real.apiPort })).apiPort, real.apiPort);
  }));

test('when all address blocks are owned it says what to do', () =>
  inFolder(async (make) => {
    const making: Promise<ClusterConfig>[] = [];
    await assert.rejects(
      async () => {
        for (let i = 0; i < 33; i++) {
          making.push(make(`c${i}`));
          await making.at(-1);
        }
      },
      { name: 'NoRoomError', message: /^no free address block for pods: remove other clusters/ },
    );
  }));
