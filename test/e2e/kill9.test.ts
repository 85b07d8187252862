/**
 * What the server acknowledged is there after it was killed without warning, under a load of writes over HTTPS.
 * K8TS_KILL_ROUNDS says how often it is killed.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { type Client, createClient, httpEndpoint, loadKubeconfig, resources } from '#client';
import { silentLogger } from '#platform';
import { systemClock } from '#platform/node';
import { readProcessRecords } from '../../src/launcher/process-record.ts';
import { TestCluster } from '../tools/test-cluster.ts';

const cluster = new TestCluster('e2e-kill');
const ROUNDS = Number(process.env['K8TS_KILL_ROUNDS'] ?? 5);
const WRITERS = 16;
const NAMESPACE = 'default';

interface Written {
  readonly created: Map<string, string>;
  readonly deleted: Set<string>;
}

function connect(): { readonly client: Client; close(): void } {
  const access = loadKubeconfig(readFileSync(cluster.kubeconfig, 'utf8'));
  const endpoint = httpEndpoint({ ...access, userAgent: 'kill9', clock: systemClock, logger: silentLogger });
  return { client: createClient(endpoint), close: () => endpoint.close() };
}

/** Creates, and deletes every fifth again, until the server is gone. Only what was acknowledged is noted. */
async function write(
  client: Client,
  name: (n: number) => string,
  written: Written,
  onWrite: () => void,
): Promise<void> {
  const configMaps = client.resource(resources.configMaps, NAMESPACE);
  for (let n = 0; ; n++) {
    const value = `${n}`.padStart(512, '.');
    try {
      await configMaps.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: name(n) },
        data: { value },
      });
      written.created.set(name(n), value);
      onWrite();
      if (n % 5 !== 4) continue;
      // Not acknowledged, it may be there or not.
      written.created.delete(name(n));
      await configMaps.delete(name(n));
      written.deleted.add(name(n));
    } catch {
      return;
    }
  }
}

function killServer(): void {
  const server = readProcessRecords(`${cluster.folder}/run/${cluster.name}`).find(
    ({ role }) => role === 'server',
  );
  assert.ok(server !== undefined, 'the server runs');
  process.kill(server.pid, 'SIGKILL');
}

async function round(number: number, written: Written): Promise<void> {
  const { client, close } = connect();
  // Another moment each time, also within a batch of commits.
  const killAfter = 40 + ((number * 37) % 200);
  let writes = 0;
  const onWrite = (): void => {
    if (++writes === killAfter) killServer();
  };
  const writers = Array.from({ length: WRITERS }, (_, writer) =>
    write(client, (n) => `r${number}-w${writer}-${n}`, written, onWrite),
  );
  await Promise.all(writers);
  close();
  assert.ok(writes >= killAfter, `only ${writes} writes before the server was gone`);
}

describe('kill -9', () => {
  before(() => cluster.up(['--simulate']));
  after(() => cluster.clear());

  it(`keeps every acknowledged write over ${ROUNDS} kills`, async (context) => {
    const written: Written = { created: new Map(), deleted: new Set() };
    for (let number = 0; number < ROUNDS; number++) {
      await round(number, written);
      await cluster.mustK8ts(['up']);
      const { client, close } = connect();
      const { items } = await client.resource(resources.configMaps, NAMESPACE).list();
      close();
      const found = new Map(items.map(({ metadata, data }) => [metadata.name, data?.['value']]));
      const lost = [...written.created].filter(([name, value]) => found.get(name) !== value);
      const undead = [...written.deleted].filter((name) => found.has(name));
      assert.deepEqual(
        lost.map(([name]) => name),
        [],
        `round ${number}`,
      );
      assert.deepEqual(undead, [], `round ${number}`);
    }
    context.diagnostic(`${written.created.size} creates and ${written.deleted.size} deletions kept`);
    assert.ok(written.created.size >= ROUNDS * 30);
  });
});
