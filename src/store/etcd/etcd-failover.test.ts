/** What happens when etcd, or the way to it, breaks. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silentLogger } from '#platform';
import { systemClock } from '#platform/node';
import { VirtualClock } from '#testing';
import { StoreUnavailableError } from '../store.ts';
import type { Revision, Store, StoreEvent } from '../store.ts';
import { connectEtcdStore } from './connect.ts';
import type { EtcdStoreOptions } from './etcd-store.ts';
import { makeTestPki } from './fixtures/test-pki.ts';
import { EtcdCluster, findEtcd, freePort } from './fixtures/etcd-server.ts';
import type { ServerTlsFiles } from './fixtures/etcd-server.ts';

const program = findEtcd();
const options = { skip: program === undefined ? 'etcd is not installed' : false, timeout: 90_000 };

interface Situation {
  readonly cluster: EtcdCluster;
  readonly connect: (more?: Partial<EtcdStoreOptions>) => Promise<Store>;
}

interface Circumstances {
  readonly members?: number;
  readonly tls?: ServerTlsFiles;
}

function withEtcd(
  title: string,
  { members = 1, tls }: Circumstances,
  body: (situation: Situation) => Promise<void>,
): void {
  test(`etcd: ${title}`, options, async () => {
    const cluster = await EtcdCluster.start(program ?? '', members, tls);
    const stores: Store[] = [];
    const connect = async (more?: Partial<EtcdStoreOptions>): Promise<Store> => {
      const { endpoints } = cluster;
      const store = await connectEtcdStore({ endpoints, clock: systemClock, logger: silentLogger, ...more });
      stores.push(store);
      return store;
    };
    try {
      await body({ cluster, connect });
    } finally {
      await Promise.all(stores.map((store) => store.close()));
      await cluster.destroy();
    }
  });
}

/** Lets ten seconds pass every second, so that giving up does not take long. */
async function inQuickTime<T>(body: (clock: VirtualClock) => Promise<T>): Promise<T> {
  const clock = new VirtualClock();
  const ticking = setInterval(() => void clock.advance(200), 20);
  try {
    return await body(clock);
  } finally {
    clearInterval(ticking);
  }
}

async function write(store: Store, key: string, value: string | Buffer): Promise<Revision> {
  const { revision } = await store.transact({
    compare: [],
    writes: [{ type: 'put', key, value: Buffer.from(value) }],
  });
  return revision;
}

/** Goes on until it is acknowledged, as an API server's client would. */
async function writeStubbornly(store: Store, key: string, value: string): Promise<void> {
  for (;;) {
    try {
      await write(store, key, value);
      return;
    } catch (error) {
      assert.ok(error instanceof StoreUnavailableError, String(error));
    }
  }
}

/** The values of one counting writer, read from a watch: each at least once in `events`, never out of order. */
class Follower {
  readonly events: StoreEvent[] = [];
  readonly ends: Error[] = [];
  #wake: (() => void) | undefined;

  constructor(store: Store) {
    store.watch('count', 'count0', {
      onEvents: (events) => {
        this.events.push(...events);
        this.#wake?.();
      },
      onEnd: (reason) => this.ends.push(reason),
    });
  }

  async untilValue(value: string): Promise<void> {
    while (!this.values.includes(value)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  get values(): readonly string[] {
    return this.events.map((event) => (event.type === 'put' ? event.kv.value.toString() : 'deleted'));
  }

  assertNothingLostOrDoubled(upTo: number): void {
    const revisions = this.events.map((event) =>
      event.type === 'put' ? event.kv.modRevision : event.modRevision,
    );
    assert.deepEqual(
      revisions,
      [...new Set(revisions)].sort((a, b) => a - b),
      'an event came twice or out of order',
    );
    // A write whose answer was lost is written again: the same value may have two revisions, none may be missing.
    const values = [...new Set(this.values)];
    assert.deepEqual(
      values,
      Array.from({ length: upTo + 1 }, (_, at) => String(at)),
    );
    assert.deepEqual(this.ends, []);
  }
}

withEtcd(
  'watches go on after a crash of the server with nothing lost and nothing twice',
  {},
  ({ cluster, connect }) =>
    inQuickTime(async (clock) => {
      const store = await connect({ clock });
      const follower = new Follower(store);
      for (let at = 0; at < 20; at++) await write(store, 'count', String(at));
      await follower.untilValue('19');
      await cluster.members[0]?.kill();
      await assert.rejects(write(store, 'other', 'x'), StoreUnavailableError);
      await cluster.members[0]?.start();
      for (let at = 20; at < 40; at++) await writeStubbornly(store, 'count', String(at));
      await follower.untilValue('39');
      follower.assertNothingLostOrDoubled(39);
      assert.equal((await store.get('count'))?.value.toString(), '39');
    }),
);

withEtcd('the loss of one member of three is survived', { members: 3 }, async ({ cluster, connect }) => {
  const store = await connect();
  const follower = new Follower(store);
  for (let at = 0; at < 10; at++) await write(store, 'count', String(at));
  await follower.untilValue('9');
  // The first member is the one this store talks to.
  await cluster.members[0]?.kill();
  for (let at = 10; at < 30; at++) await writeStubbornly(store, 'count', String(at));
  assert.equal((await store.get('count'))?.value.toString(), '29');
  await follower.untilValue('29');
  follower.assertNothingLostOrDoubled(29);
});

withEtcd('an endpoint that is not there is passed over', {}, async ({ cluster, connect }) => {
  const store = await connect({ endpoints: [`127.0.0.1:${await freePort()}`, ...cluster.endpoints] });
  const revision = await write(store, 'a', '1');
  assert.equal((await store.get('a'))?.modRevision, revision);
});

test('etcd: when nobody answers the error names every endpoint and why', async () => {
  const [first, second] = [await freePort(), await freePort()];
  const endpoints = [`http://127.0.0.1:${first}`, `127.0.0.1:${second}`];
  const refused = (port: number): string => `127.0.0.1:${port} (connect ECONNREFUSED 127.0.0.1:${port})`;
  await inQuickTime(async (clock) => {
    await assert.rejects(
      connectEtcdStore({ endpoints, clock, logger: silentLogger }),
      new StoreUnavailableError(`no etcd is reachable at ${refused(first)}, ${refused(second)}`),
    );
  });
});

withEtcd('a delivery that comes in fragments is put together', {}, async ({ connect }) => {
  const store = await connect();
  const first = await write(store, 'count', Buffer.alloc(700_000, 'a'));
  for (const letter of 'bcdefghij') await write(store, 'count', Buffer.alloc(700_000, letter));
  const letters: string[] = [];
  await new Promise<void>((resolve) => {
    store.watch('count', 'count0', {
      fromRevision: first,
      onEvents: (events) => {
        for (const event of events) {
          assert.ok(event.type === 'put' && event.kv.value.length === 700_000);
          letters.push(event.kv.value.subarray(-1).toString());
        }
        if (letters.length === 10) resolve();
      },
    });
  });
  assert.equal(letters.join(''), 'abcdefghij');
});

withEtcd('what is older than the limit is compacted by itself', {}, ({ connect }) =>
  inQuickTime(async (clock) => {
    const store = await connect({ clock, maxHistoryAgeMs: 5_000 });
    const witness = await connect({ maxHistoryAgeMs: 0 });
    const first = await write(store, 'a', '1');
    await write(store, 'a', '2');
    const ended = new Promise<Error>((resolve) => {
      const watch = (): void => {
        const again = witness.watch('a', 'b', {
          fromRevision: first,
          onEvents: () => {
            again.close();
            watch();
          },
          onEnd: resolve,
        });
      };
      watch();
    });
    assert.match((await ended).message, /required revision has been compacted/);
    assert.equal((await witness.get('a'))?.value.toString(), '2');
  }),
);

const pki = await makeTestPki();
const folder = await mkdtemp(join(tmpdir(), 'k8ts-etcd-tls-'));
const tls = { ca: join(folder, 'ca.crt'), cert: join(folder, 'server.crt'), key: join(folder, 'server.key') };
await writeFile(tls.ca, pki.ca);
await writeFile(tls.cert, pki.server.cert);
await writeFile(tls.key, pki.server.key);
after(() => rm(folder, { recursive: true }));

withEtcd(
  'TLS asks for a client certificate and checks the address',
  { tls },
  async ({ cluster, connect }) => {
    const store = await connect({ tls: { ca: pki.ca, ...pki.client } });
    const revision = await write(store, 'a', '1');
    assert.equal((await store.get('a'))?.modRevision, revision);
    await inQuickTime(async (clock) => {
      await assert.rejects(connect({ tls: { ca: pki.ca }, clock }), StoreUnavailableError);
      // Signed by the right authority, but for another address.
      const endpoints = cluster.endpoints.map((endpoint) => endpoint.replace('127.0.0.1', '127.0.0.2'));
      await assert.rejects(
        connect({ endpoints, tls: { ca: pki.ca, ...pki.client }, clock }),
        /127\.0\.0\.2:\d+ \(.*IP: 127\.0\.0\.2 is not in the cert's list: 127\.0\.0\.1/,
      );
    });
  },
);
