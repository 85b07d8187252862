import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { silentLogger } from '#platform';
import { VirtualClock } from '#testing';
import { CompactedError, StoreUnavailableError } from '../store.ts';
import type { Revision, Store, Write } from '../store.ts';
import { openEmbeddedStore } from './embedded-store.ts';
import type { EmbeddedStoreOptions } from './embedded-store.ts';

const run = promisify(execFile);
const SECOND_OPENER = fileURLToPath(new URL('fixtures/second-opener.ts', import.meta.url));

class Folder {
  readonly clock = new VirtualClock();
  readonly path: string;
  #open: Store[] = [];

  constructor(path: string) {
    this.path = path;
  }

  async open(options: Partial<EmbeddedStoreOptions> = {}): Promise<Store> {
    const store = await openEmbeddedStore({
      folder: this.path,
      clock: this.clock,
      logger: silentLogger,
      ...options,
    });
    this.#open.push(store);
    return store;
  }

  async closeAll(): Promise<void> {
    await Promise.all(this.#open.map((store) => store.close()));
    this.#open = [];
  }
}

function onDisk(title: string, body: (folder: Folder, t: TestContext) => Promise<void>): void {
  test(`embedded: ${title}`, { timeout: 60_000 }, async (t) => {
    const path = await mkdtemp(join(tmpdir(), 'k8ts-store-'));
    const folder = new Folder(path);
    try {
      await body(folder, t);
    } finally {
      await folder.closeAll();
      await rm(path, { recursive: true });
    }
  });
}

const put = (key: string, value: string | Buffer, leaseId?: string): Write => ({
  type: 'put',
  key,
  value: Buffer.from(value),
  leaseId,
});

async function write(store: Store, ...writes: Write[]): Promise<Revision> {
  return (await store.transact({ compare: [], writes })).revision;
}

async function valueAt(store: Store, key: string, revision?: Revision): Promise<string | undefined> {
  return (await store.get(key, { revision }))?.value.toString();
}

onDisk('a store opened again has every key, the history and the next revision', async (folder) => {
  const before = await folder.open();
  const first = await write(before, put('a', '1'), put('b', '1'));
  await write(before, put('a', '2'));
  await write(before, { type: 'delete', key: 'b' });
  await write(before, put('ключ', 'значение'));
  await folder.closeAll();

  const after = await folder.open();
  assert.equal(after.revision, first + 3);
  assert.equal(await valueAt(after, 'a'), '2');
  assert.equal(await valueAt(after, 'b'), undefined);
  assert.equal(await valueAt(after, 'ключ'), 'значение');
  assert.equal(await valueAt(after, 'b', first + 1), '1');
  assert.equal((await after.range('a', 'z')).count, 1);
  const seen: string[] = [];
  after.watch('a', 'z', {
    fromRevision: first + 1,
    onEvents: (events) => {
      for (const event of events) seen.push(`${event.type} was ${event.previous?.value.toString() ?? '-'}`);
    },
  });
  assert.equal(await write(after, put('a', '3')), first + 4);
  assert.deepEqual(seen, ['put was 1', 'delete was 1', 'put was 2']);
  assert.equal((await after.get('a'))?.createRevision, first);
});

onDisk(
  'a store opened again remembers what was compacted, also when the last write was a deletion',
  async (folder) => {
    const before = await folder.open();
    const first = await write(before, put('a', '1'));
    await write(before, put('a', '2'));
    await write(before, { type: 'delete', key: 'a' });
    await before.compact(first + 2);
    await folder.closeAll();

    const after = await folder.open();
    assert.equal(after.revision, first + 2);
    const compacted = (error: unknown): boolean =>
      error instanceof CompactedError && error.compactRevision === first + 2;
    await assert.rejects(after.get('a', { revision: first + 1 }), compacted);
    await assert.rejects(after.compact(first + 2), compacted);
    assert.equal(await write(after, put('a', '3')), first + 3);
  },
);

onDisk('leases outlive a restart with their full time and their ids are not given again', async (folder) => {
  const before = await folder.open();
  const leaseId = await before.grantLease(10_000);
  const revoked = await before.grantLease(10_000);
  await write(before, put('a', '1', leaseId), put('b', '1', leaseId));
  await write(before, put('b', '2'));
  await before.revokeLease(revoked);
  await folder.clock.advance(9_000);
  await folder.closeAll();

  const after = await folder.open();
  assert.notEqual(await after.grantLease(1_000_000), revoked);
  await folder.clock.advance(9_000);
  await after.keepLeaseAlive(leaseId);
  assert.equal(await valueAt(after, 'a'), '1');
  const deleted = new Promise<void>((resolve) => {
    after.watch('a', 'b', { onEvents: () => resolve() });
  });
  await folder.clock.advance(10_000);
  await deleted;
  assert.equal(await valueAt(after, 'a'), undefined);
  assert.equal(await valueAt(after, 'b'), '2');
});

onDisk('overwriting and compacting over and over reuses the space', async (folder) => {
  const store = await folder.open();
  const overwriteAll = async (letter: string): Promise<void> => {
    const writes: Promise<Revision>[] = [];
    for (let at = 0; at < 500; at++) writes.push(write(store, put(`key/${at}`, Buffer.alloc(4_000, letter))));
    await Promise.all(writes);
    await store.compact(store.revision);
  };
  for (const letter of 'abc') await overwriteAll(letter);
  const settledBytes = await store.sizeBytes();
  for (const letter of 'defghijklm') await overwriteAll(letter);
  const bytes = await store.sizeBytes();
  assert.ok(bytes <= settledBytes * 1.1, `grew from ${settledBytes} to ${bytes}`);
  const file = await stat(join(folder.path, 'data.mdb'));
  assert.ok(file.size <= bytes, `file of ${file.size} bytes, said to be ${bytes}`);
  assert.ok(bytes < 20_000_000, `${bytes} bytes for 2 MB that live and one overwrite`);
});

onDisk('history beyond its limit is compacted by itself, on disk as well', async (folder) => {
  const store = await folder.open({ maxHistoryEvents: 1_000 });
  const first = await write(store, put('a', 'first'));
  for (let round = 0; round < 30; round++) {
    await Promise.all(Array.from({ length: 100 }, (_, at) => write(store, put(`k${at}`, `${round}`))));
  }
  await assert.rejects(store.get('a', { revision: first }), CompactedError);
  assert.equal(await valueAt(store, 'a'), 'first');
  assert.equal(await valueAt(store, 'k7', store.revision - 800), '21');
  await folder.closeAll();
  const again = await folder.open({ maxHistoryEvents: 1_000 });
  await assert.rejects(again.get('a', { revision: first }), CompactedError);
  assert.equal(await valueAt(again, 'k99'), '29');
});

onDisk('ten thousand keys are there again after opening', async (folder) => {
  const before = await folder.open();
  for (let at = 0; at < 10_000; at += 100) {
    const writes = Array.from({ length: 100 }, (_, of) =>
      put(`/registry/pods/default/pod-${at + of}`, Buffer.alloc(2_000)),
    );
    await write(before, ...writes);
  }
  await folder.closeAll();
  const after = await folder.open();
  assert.equal((await after.range('/', '0', { limit: 1 })).count, 10_000);
});

onDisk('a second process is told which folder is in use, and may open it afterwards', async (folder) => {
  const store = await folder.open();
  await write(store, put('a', '1'));
  await valueAt(store, 'a');
  const second = await run(process.execPath, [SECOND_OPENER, folder.path]);
  assert.equal(
    second.stdout,
    `StoreUnavailableError: store folder ${folder.path} is in use by process ${process.pid}`,
  );
  assert.equal(await write(store, put('a', '2')), 3);
  await folder.closeAll();
  const third = await run(process.execPath, [SECOND_OPENER, folder.path]);
  assert.equal(third.stdout, 'opened');
});

onDisk('one process cannot open a folder twice', async (folder) => {
  await folder.open();
  const expected = new StoreUnavailableError(`store folder ${folder.path} is already open in this process`);
  await assert.rejects(folder.open(), expected);
  await assert.rejects(
    folder.open({ folder: `${folder.path}/../${folder.path.split('/').at(-1)}` }),
    expected,
  );
});

onDisk(
  'writes that do not fit the disk are refused, and work goes on when there is room again',
  async (folder, t) => {
    const small = join(folder.path, 'small');
    await mkdir(small);
    try {
      await run('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', small]);
    } catch {
      t.skip('only root may mount a small disk');
      return;
    }
    try {
      const store = await folder.open({ folder: join(small, 'db') });
      const megabyte = Buffer.alloc(1_000_000, 'x');
      const leaseId = await store.grantLease(5_000);
      await write(store, put('a', megabyte), put('b', 'small', leaseId));
      const { revision } = store;
      const events: number[] = [];
      store.watch('a', 'z', { onEvents: (_, at) => events.push(at) });
      const refused = await Promise.allSettled([
        write(store, put('c', Buffer.concat([megabyte, megabyte, megabyte]))),
        write(store, put('d', 'in the same commit')),
        store.transact({ compare: [{ key: 'd', modRevision: 0 }], writes: [] }),
      ]);
      for (const each of refused) {
        assert.ok(each.status === 'rejected' && each.reason instanceof StoreUnavailableError);
      }
      assert.deepEqual(events, []);
      assert.equal(store.revision, revision);
      assert.equal(await valueAt(store, 'd'), undefined);
      await write(store, { type: 'delete', key: 'a' });
      await store.compact(store.revision);
      assert.equal(await write(store, put('c', megabyte)), revision + 2);
      assert.deepEqual(events, [revision + 1, revision + 2]);
    } finally {
      await folder.closeAll();
      await run('umount', [small]);
    }
  },
);
