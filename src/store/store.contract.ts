/**
 * What every store promises, as one suite that memory, embedded and etcd run (`store.ts` is the contract in words).
 * Tests share nothing but the server behind the store, so they speak of revisions relative to where they began.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  CompactedError,
  FutureRevisionError,
  LeaseNotFoundError,
  MAX_KEY_BYTES,
  MAX_TRANSACTION_OPERATIONS,
  StoreUnavailableError,
  prefixEnd,
} from './store.ts';
import type { KeyValue, Revision, Store, StoreEvent, StoreWatch, StoreWatchOptions, Write } from './store.ts';

export interface StoreUnderTest {
  readonly store: Store;
  /** Lets this much time pass for leases. A store on a real clock does nothing here: the test awaits the event. */
  readonly passTime: (ms: number) => void;
  readonly end: () => Promise<void>;
}

export interface StoreContractOptions {
  /** A new, empty store (or an empty part of a shared one). */
  readonly open: () => Promise<StoreUnderTest>;
  readonly maxValueBytes: number;
  /** The reason why these tests cannot run here. */
  readonly skip?: string | undefined;
  /** Whether a write has reached the watches of this process when it is acknowledged. */
  readonly deliversBeforeAcknowledging: boolean;
  /** How often the model test writes its random history. */
  readonly modelRuns: number;
}

const bytes = (text: string): Buffer => Buffer.from(text);

const put = (key: string, value: string, leaseId?: string): Write => ({
  type: 'put',
  key,
  value: bytes(value),
  leaseId,
});
const remove = (key: string): Write => ({ type: 'delete', key });

async function write(store: Store, ...writes: Write[]): Promise<Revision> {
  const result = await store.transact({ compare: [], writes });
  assert.equal(result.succeeded, true);
  return result.revision;
}

/** `key=value@create/mod`: short enough to compare whole histories by eye. */
function showKv(kv: KeyValue | undefined): string {
  if (kv === undefined) return '-';
  return `${kv.key}=${kv.value.toString()}@${kv.createRevision}/${kv.modRevision}`;
}

function showEvent(event: StoreEvent): string {
  const now = event.type === 'put' ? showKv(event.kv) : `${event.key} deleted@${event.modRevision}`;
  return `${now} was ${showKv(event.previous)}`;
}

/** A watch that remembers everything and lets a test await what it needs. */
class Recorder {
  readonly events: StoreEvent[] = [];
  readonly deliveries: { readonly events: readonly StoreEvent[]; readonly revision: Revision }[] = [];
  readonly progress: Revision[] = [];
  readonly ends: Error[] = [];
  readonly watch: StoreWatch;
  #waiting: (() => void)[] = [];

  constructor(store: Store, start: string, end: string, options: Partial<StoreWatchOptions> = {}) {
    this.watch = store.watch(start, end, {
      ...options,
      onEvents: (events, revision) => {
        this.events.push(...events);
        this.deliveries.push({ events, revision });
        options.onEvents?.(events, revision);
        this.#wake();
      },
      onProgress: (revision) => {
        this.progress.push(revision);
        this.#wake();
      },
      onEnd: (reason) => {
        this.ends.push(reason);
        this.#wake();
      },
    });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async untilEvents(count: number): Promise<readonly string[]> {
    await this.until(() => this.events.length >= count);
    return this.events.map(showEvent);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

export function describeStore(name: string, options: StoreContractOptions): void {
  const it = (title: string, body: (store: Store, under: StoreUnderTest) => Promise<void>): void => {
    test(`${name}: ${title}`, { skip: options.skip ?? false, timeout: 60_000 }, async () => {
      const under = await options.open();
      try {
        await body(under.store, under);
      } finally {
        await under.end();
      }
    });
  };
  describeTransactions(it, options);
  describeRanges(it);
  describeWatches(it, options);
  describeCompaction(it);
  describeLeases(it);
  describeRaces(it);
  describeClose(it);
  describeModel(it, options);
}

type It = (title: string, body: (store: Store, under: StoreUnderTest) => Promise<void>) => void;

function describeTransactions(it: It, options: StoreContractOptions): void {
  it('every transaction that changes something takes the next revision', async (store) => {
    const first = await write(store, put('a', '1'));
    assert.ok(first > 1);
    assert.equal(await write(store, put('b', '1')), first + 1);
    assert.equal(await write(store, put('a', '2'), put('c', '1'), remove('b')), first + 2);
    assert.equal(store.revision, first + 2);
    assert.equal(showKv(await store.get('a')), `a=2@${first}/${first + 2}`);
    assert.equal(await store.get('b'), undefined);
    assert.equal(showKv(await store.get('c')), `c=1@${first + 2}/${first + 2}`);
  });

  it('a transaction that changes nothing takes no revision', async (store) => {
    const first = await write(store, put('a', '1'));
    assert.equal(await write(store, remove('absent')), first);
    assert.equal((await store.transact({ compare: [], writes: [] })).revision, first);
    assert.equal(await write(store, put('a', '2')), first + 1);
  });

  it('a key created again after its deletion has a new create revision', async (store) => {
    const first = await write(store, put('a', '1'));
    await write(store, remove('a'));
    await write(store, put('a', '2'));
    assert.equal(showKv(await store.get('a')), `a=2@${first + 2}/${first + 2}`);
  });

  it('compare 0 means the key must not exist', async (store) => {
    const create = { compare: [{ key: 'a', modRevision: 0 }], writes: [put('a', '1')] };
    const created = await store.transact(create);
    assert.equal(created.succeeded, true);
    const again = await store.transact(create);
    assert.ok(!again.succeeded);
    assert.equal(again.revision, created.revision);
    assert.deepEqual(again.current.map(showKv), [`a=1@${created.revision}/${created.revision}`]);
  });

  it('one compare that fails leaves everything as it was and answers what all compared keys hold', async (store) => {
    const a = await write(store, put('a', '1'));
    const b = await write(store, put('b', '1'));
    const result = await store.transact({
      compare: [
        { key: 'b', modRevision: b },
        { key: 'c', modRevision: 0 },
        { key: 'a', modRevision: b },
      ],
      writes: [put('a', '2'), put('b', '2'), put('c', '2')],
    });
    assert.ok(!result.succeeded);
    assert.deepEqual(result.current.map(showKv), [`b=1@${b}/${b}`, '-', `a=1@${a}/${a}`]);
    assert.deepEqual((await store.range('a', 'z')).kvs.map(showKv), [`a=1@${a}/${a}`, `b=1@${b}/${b}`]);
    const deletion = await store.transact({
      compare: [{ key: 'a', modRevision: a }],
      writes: [remove('a')],
    });
    assert.deepEqual(deletion, { succeeded: true, revision: b + 1 });
  });

  it('a transaction with a limit exceeded or a key written twice is refused as a whole', async (store) => {
    const first = await write(store, put('a', '1'));
    const refused = async (writes: Write[], message: RegExp): Promise<void> => {
      await assert.rejects(store.transact({ compare: [], writes }), (error: unknown) => {
        assert.ok(error instanceof RangeError);
        assert.match(error.message, message);
        return true;
      });
    };
    const many = Array.from({ length: MAX_TRANSACTION_OPERATIONS + 1 }, (_, at) => put(`k${at}`, ''));
    await refused(many, /at most 128/);
    await refused([put('x', '1'), remove('x')], /writes x twice/);
    await refused([put('', '1')], /must not be empty/);
    await refused([put('k'.repeat(MAX_KEY_BYTES + 1), '1')], /key of 1901 bytes is too long/);
    await refused([put('é'.repeat(MAX_KEY_BYTES / 2 + 1), '1')], /key of 1902 bytes is too long/);
    assert.equal(await write(store, ...many.slice(1)), first + 1);
  });

  it('the longest key, the largest and the empty value come back as they were', async (store) => {
    const long = 'k'.repeat(MAX_KEY_BYTES);
    const large = Buffer.alloc(options.maxValueBytes, 'large value ');
    await write(store, { type: 'put', key: long, value: large });
    await write(store, put('empty', ''), put('ключ', 'значение'));
    assert.ok((await store.get(long))?.value.equals(large));
    assert.equal((await store.get('empty'))?.value.length, 0);
    assert.equal((await store.get('ключ'))?.value.toString(), 'значение');
  });
}

function describeRanges(it: It): void {
  it('a range is in byte order of the keys and leaves out its end', async (store) => {
    const keys = ['b', 'a/b', 'a', 'a/', 'a0', 'aé', 'a\uff5e', 'a\u{1f600}', 'a-', 'A', 'c'];
    for (const key of keys) await write(store, put(key, key));
    const sorted = [...keys].sort((x, y) => Buffer.compare(bytes(x), bytes(y)));
    const all = await store.range('A', 'd');
    assert.deepEqual(
      all.kvs.map((kv) => kv.key),
      sorted,
    );
    assert.equal(all.revision, store.revision);
    const below = await store.range('a/', prefixEnd('a/'));
    assert.deepEqual(
      below.kvs.map((kv) => kv.key),
      ['a/', 'a/b'],
    );
    assert.deepEqual((await store.range('b', 'b')).kvs, []);
    assert.deepEqual((await store.range('c', 'a')).kvs, []);
    assert.equal((await store.range('a', prefixEnd('a'))).count, 8);
  });

  it('a limit cuts the keys, not the count, and the next page goes on after the last key', async (store) => {
    for (let at = 0; at < 10; at++) await write(store, put(`p/${at}`, `${at}`));
    await write(store, remove('p/3'));
    const first = await store.range('p/', 'p0', { limit: 4 });
    assert.deepEqual(
      first.kvs.map((kv) => kv.key),
      ['p/0', 'p/1', 'p/2', 'p/4'],
    );
    assert.equal(first.count, 9);
    await write(store, put('p/5', 'changed'), remove('p/6'), put('p/55', 'new'));
    const next = await store.range('p/4\0', 'p0', { revision: first.revision, limit: 10 });
    assert.deepEqual(
      next.kvs.map((kv) => `${kv.key}=${kv.value.toString()}`),
      ['p/5=5', 'p/6=6', 'p/7=7', 'p/8=8', 'p/9=9'],
    );
    assert.equal(next.count, 5);
    const short = await store.range('p/', 'p0', { revision: first.revision, limit: 2 });
    assert.deepEqual([short.kvs.length, short.count, short.revision], [2, 9, store.revision]);
  });

  it('keysOnly leaves the values out and nothing else', async (store) => {
    const first = await write(store, put('a', 'value'));
    const { kvs } = await store.range('a', 'b', { keysOnly: true });
    assert.deepEqual(kvs.map(showKv), [`a=@${first}/${first}`]);
  });

  it('a read at a revision sees exactly what was there then', async (store) => {
    const first = await write(store, put('a', '1'));
    await write(store, put('a', '2'), put('b', '1'));
    await write(store, remove('a'));
    await write(store, put('a', '3'));
    const seen = async (revision: Revision): Promise<string> =>
      (await store.range('a', 'c', { revision })).kvs.map(showKv).join(' ');
    assert.equal(await seen(first), `a=1@${first}/${first}`);
    assert.equal(await seen(first + 1), `a=2@${first}/${first + 1} b=1@${first + 1}/${first + 1}`);
    assert.equal(await seen(first + 2), `b=1@${first + 1}/${first + 1}`);
    assert.equal(await seen(first + 3), `a=3@${first + 3}/${first + 3} b=1@${first + 1}/${first + 1}`);
    assert.equal(showKv(await store.get('a', { revision: first + 1 })), `a=2@${first}/${first + 1}`);
    assert.equal(await store.get('a', { revision: first + 2 }), undefined);
  });

  it('a read at a revision that does not exist yet is refused', async (store) => {
    const first = await write(store, put('a', '1'));
    const future = new FutureRevisionError(first + 1, first);
    await assert.rejects(store.range('a', 'b', { revision: first + 1 }), future);
    await assert.rejects(store.get('a', { revision: first + 1 }), future);
  });
}

function describeWatches(it: It, options: StoreContractOptions): void {
  it('a watch tells every change of its range in order with the value before', async (store) => {
    const first = await write(store, put('p/a', '0'));
    const recorder = new Recorder(store, 'p/', 'p0');
    await write(store, put('p/a', '1'), put('q', '1'));
    await write(store, put('q', '2'));
    await write(store, put('p/b', '1'));
    await write(store, remove('p/a'));
    await write(store, put('p/a', '2'));
    if (options.deliversBeforeAcknowledging) assert.equal(recorder.events.length, 4);
    assert.deepEqual(await recorder.untilEvents(4), [
      `p/a=1@${first}/${first + 1} was p/a=0@${first}/${first}`,
      `p/b=1@${first + 3}/${first + 3} was -`,
      `p/a deleted@${first + 4} was p/a=1@${first}/${first + 1}`,
      `p/a=2@${first + 5}/${first + 5} was -`,
    ]);
    assert.equal(recorder.deliveries.at(-1)?.revision, first + 5);
  });

  it('a watch from a revision first tells the history, then goes on, with nothing twice or left out', async (store) => {
    const first = await write(store, put('a', '1'));
    for (let at = 2; at <= 20; at++) await write(store, put('a', `${at}`));
    const recorder = new Recorder(store, 'a', 'b', { fromRevision: first + 5, previousValues: false });
    assert.equal(recorder.events.length, 0, 'nothing is delivered inside watch()');
    const writes: Promise<Revision>[] = [];
    for (let at = 21; at <= 40; at++) writes.push(write(store, put('a', `${at}`)));
    await Promise.all(writes);
    if (options.deliversBeforeAcknowledging) assert.equal(recorder.events.length, 35);
    await recorder.untilEvents(35);
    assert.deepEqual(
      recorder.events.map((event) => (event.type === 'put' ? event.kv.modRevision : 0)),
      Array.from({ length: 35 }, (_, at) => first + 5 + at),
    );
  });

  it('a watch from a future revision tells nothing before it', async (store) => {
    const first = await write(store, put('a', '1'));
    const recorder = new Recorder(store, 'a', 'b', { fromRevision: first + 3 });
    for (let at = 2; at <= 5; at++) await write(store, put('a', `${at}`));
    assert.deepEqual(await recorder.untilEvents(2), [
      `a=4@${first}/${first + 3} was a=3@${first}/${first + 2}`,
      `a=5@${first}/${first + 4} was a=4@${first}/${first + 3}`,
    ]);
  });

  it('a transaction is delivered whole, in the order of its writes', async (store) => {
    const recorder = new Recorder(store, 'a', 'z');
    const revision = await write(store, put('d', '1'), put('b', '1'), remove('none'), put('c', '1'));
    const fromHistory = new Recorder(store, 'a', 'z', { fromRevision: revision });
    for (const each of [recorder, fromHistory]) {
      await each.untilEvents(3);
      assert.equal(each.deliveries.length, 1);
      assert.deepEqual(
        each.events.map((event) => (event.type === 'put' ? event.kv.key : event.key)),
        ['d', 'b', 'c'],
      );
    }
  });

  it('every watch is told what concerns it, however many there are and however they overlap', async (store) => {
    const ranges: [string, string][] = [
      ['a', 'z'],
      ['g', 'h'],
      ['g', 'h0'],
      ['f', 'g'],
      ['g/1', 'g/1\0'],
      ['a', 'z'],
    ];
    for (let at = 0; at < 40; at++) ranges.push([`g/${at}`, prefixEnd(`g/${at}`)]);
    const recorders = ranges.map(([start, end]) => new Recorder(store, start, end));
    const keys = ['g', 'g/1', 'g/12', 'g/3', 'h', 'z', 'f/x'];
    for (const key of keys) await write(store, put(key, '1'));
    for (const [at, recorder] of recorders.entries()) {
      const [start, end] = ranges[at] ?? ['', ''];
      const expected = keys.filter((key) => start <= key && key < end);
      await recorder.untilEvents(expected.length);
      assert.deepEqual(
        recorder.events.map((event) => (event.type === 'put' ? event.kv.key : '')),
        expected,
        `watch of [${start}, ${end})`,
      );
    }
  });

  it('a watch that was closed is not called again', async (store) => {
    const closed = new Recorder(store, 'a', 'b');
    const open = new Recorder(store, 'a', 'b');
    await write(store, put('a', '1'));
    await closed.untilEvents(1);
    closed.watch.close();
    closed.watch.close();
    const neverOpened = new Recorder(store, 'a', 'b', { fromRevision: store.revision });
    neverOpened.watch.close();
    await write(store, put('a', '2'));
    await open.untilEvents(2);
    await store.requestProgress();
    await open.until(() => open.progress.length > 0);
    assert.deepEqual([closed.events.length, closed.progress.length, closed.ends.length], [1, 0, 0]);
    assert.deepEqual([neverOpened.events.length, neverOpened.progress.length], [0, 0]);
  });

  it('a watch closed by its own callback is not called again', async (store) => {
    const recorder: Recorder = new Recorder(store, 'a', 'b', { onEvents: () => recorder.watch.close() });
    const other = new Recorder(store, 'a', 'b');
    await write(store, put('a', '1'));
    await write(store, put('a', '2'));
    await other.untilEvents(2);
    assert.equal(recorder.events.length, 1);
  });

  it('progress reaches every watch at the newest revision, also where nothing changed', async (store) => {
    const quiet = new Recorder(store, 'x', 'y');
    const busy = new Recorder(store, 'a', 'b');
    const revision = await write(store, put('a', '1'));
    await store.requestProgress();
    await quiet.until(() => quiet.progress.some((each) => each >= revision));
    await busy.until(() => busy.progress.some((each) => each >= revision));
    assert.equal(busy.events.length, 1);
    assert.equal(quiet.events.length, 0);
  });

  it('a write made by a watch callback is told to every watch after what caused it', async (store) => {
    let answered: Promise<Revision> | undefined;
    const answer = (): void => {
      answered ??= write(store, put('b', 'answer'));
    };
    const before = new Recorder(store, 'a', 'c');
    const answering = new Recorder(store, 'a', 'b', { onEvents: answer });
    const after = new Recorder(store, 'a', 'c');
    const first = await write(store, put('a', 'question'));
    await answering.untilEvents(1);
    assert.equal(await answered, first + 1);
    const expected = [`a=question@${first}/${first} was -`, `b=answer@${first + 1}/${first + 1} was -`];
    assert.deepEqual(await before.untilEvents(2), expected);
    assert.deepEqual(await after.untilEvents(2), expected);
  });
}

function describeCompaction(it: It): void {
  it('compaction forgets the past, not the newest version of any key', async (store) => {
    const first = await write(store, put('a', '1'), put('still', 'here'));
    await write(store, put('a', '2'));
    await write(store, put('gone', '1'));
    await write(store, remove('gone'));
    await write(store, put('a', '3'));
    await store.compact(first + 3);
    assert.equal(showKv(await store.get('still')), `still=here@${first}/${first}`);
    const at = await store.range('a', 'z', { revision: first + 3 });
    assert.deepEqual(at.kvs.map(showKv), [`a=2@${first}/${first + 1}`, `still=here@${first}/${first}`]);
    assert.equal(showKv(await store.get('a')), `a=3@${first}/${first + 4}`);
    const compacted = (error: unknown): boolean => error instanceof CompactedError;
    await assert.rejects(store.range('a', 'z', { revision: first + 2 }), compacted);
    await assert.rejects(store.get('a', { revision: first }), compacted);
  });

  it('a watch from before the compaction ends, one from the compacted revision itself works', async (store) => {
    const first = await write(store, put('a', '1'));
    await write(store, put('a', '2'));
    await write(store, remove('a'));
    await write(store, put('a', '3'));
    await store.compact(first + 1);
    const tooOld = new Recorder(store, 'a', 'b', { fromRevision: first });
    const justHeld = new Recorder(store, 'a', 'b', { fromRevision: first + 1 });
    await tooOld.until(() => tooOld.ends.length > 0);
    const [reason] = tooOld.ends;
    assert.ok(reason instanceof CompactedError);
    assert.equal(reason.compactRevision, first + 1);
    assert.equal(tooOld.events.length, 0);
    await justHeld.untilEvents(3);
    assert.deepEqual(
      justHeld.events.map((event) => (event.type === 'put' ? event.kv.value.toString() : 'deleted')),
      ['2', 'deleted', '3'],
    );
    assert.equal(showEvent(justHeld.events[0] as StoreEvent), `a=2@${first}/${first + 1} was -`);
    assert.equal(justHeld.ends.length, 0);
  });

  it('a live watch does not notice a compaction', async (store) => {
    const recorder = new Recorder(store, 'a', 'b');
    const first = await write(store, put('a', '1'));
    await write(store, put('a', '2'));
    await store.compact(first + 1);
    await write(store, put('a', '3'));
    await recorder.untilEvents(3);
    assert.equal(recorder.ends.length, 0);
  });

  it('compacting twice or into the future is refused', async (store) => {
    const first = await write(store, put('a', '1'));
    await write(store, put('a', '2'));
    await store.compact(first);
    await assert.rejects(store.compact(first), (error: unknown) => error instanceof CompactedError);
    await assert.rejects(store.compact(first + 5), (error: unknown) => error instanceof FutureRevisionError);
  });

  it('keys deleted, created and deleted again survive compactions in between', async (store) => {
    const first = await write(store, put('a', '1'));
    for (let round = 1; round <= 5; round++) {
      const deleted = await write(store, remove('a'));
      if (round % 2 === 0) await store.compact(deleted);
      const created = await write(store, put('a', `${round}`));
      if (round % 3 === 0) await store.compact(created);
      assert.equal(showKv(await store.get('a')), `a=${round}@${created}/${created}`);
    }
    assert.equal(await write(store, remove('a')), first + 11);
    await store.compact(first + 11);
    assert.equal((await store.range('a', 'b')).count, 0);
    await write(store, put('a', 'again'));
    assert.equal(showKv(await store.get('a')), `a=again@${first + 12}/${first + 12}`);
  });
}

const LEASE_TTL_MS = 2_000;

function describeLeases(it: It): void {
  it('keys of a lease that is not kept alive are deleted together', async (store, under) => {
    const leaseId = await store.grantLease(LEASE_TTL_MS);
    const recorder = new Recorder(store, 'a', 'z');
    const first = await write(store, put('a', '1', leaseId), put('b', '1', leaseId), put('c', '1'));
    await write(store, put('b', '2'));
    await write(store, put('d', '1', leaseId));
    assert.equal((await store.get('a'))?.leaseId, leaseId);
    assert.equal((await store.get('b'))?.leaseId, undefined);
    under.passTime(LEASE_TTL_MS);
    const events = await recorder.untilEvents(7);
    assert.deepEqual(events.slice(5).sort(), [
      `a deleted@${first + 3} was a=1@${first}/${first}`,
      `d deleted@${first + 3} was d=1@${first + 2}/${first + 2}`,
    ]);
    assert.equal(showKv(await store.get('b')), `b=2@${first}/${first + 1}`);
    await assert.rejects(store.keepLeaseAlive(leaseId), new LeaseNotFoundError(leaseId));
  });

  it('a lease that is kept alive keeps its keys', async (store, under) => {
    const leaseId = await store.grantLease(LEASE_TTL_MS);
    await write(store, put('a', '1', leaseId));
    for (let at = 0; at < 5; at++) {
      under.passTime(LEASE_TTL_MS * 0.8);
      await store.keepLeaseAlive(leaseId);
    }
    assert.notEqual(await store.get('a'), undefined);
  });

  it('revoking a lease deletes its keys at once', async (store) => {
    const leaseId = await store.grantLease(60_000);
    const other = await store.grantLease(60_000);
    assert.notEqual(leaseId, other);
    const first = await write(store, put('a', '1', leaseId), put('b', '1', other));
    await store.revokeLease(leaseId);
    assert.deepEqual((await store.range('a', 'z')).kvs.map(showKv), [`b=1@${first}/${first}`]);
    assert.equal(await write(store, put('a', '2')), first + 2);
    await assert.rejects(store.revokeLease(leaseId), new LeaseNotFoundError(leaseId));
    await store.revokeLease(other);
  });

  it('a write with a lease that does not exist is refused as a whole', async (store) => {
    const first = await write(store, put('a', '1'));
    await assert.rejects(
      write(store, put('a', '2'), put('b', '1', '12345')),
      new LeaseNotFoundError('12345'),
    );
    assert.equal(showKv(await store.get('a')), `a=1@${first}/${first}`);
    assert.equal(await store.get('b'), undefined);
    assert.equal(await write(store, put('a', '2')), first + 1);
  });
}

function describeRaces(it: It): void {
  it('of many writers that compare one revision of one key exactly one wins', async (store) => {
    const recorder = new Recorder(store, 'a', 'b');
    let modRevision = await write(store, put('a', 'start'));
    for (let round = 0; round < 10; round++) {
      const compare = [{ key: 'a', modRevision }];
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, writer) =>
          store.transact({ compare, writes: [put('a', `${round}/${writer}`)] }),
        ),
      );
      const winners = results.filter((result) => result.succeeded);
      assert.equal(winners.length, 1);
      modRevision = winners[0]?.revision ?? 0;
      for (const result of results) {
        if (result.succeeded) continue;
        assert.equal(result.current[0]?.modRevision, modRevision);
      }
    }
    await recorder.untilEvents(11);
    assert.equal(recorder.events.length, 11);
  });

  it('counting up by compare and retry from many writers loses nothing', async (store) => {
    const WRITERS = 8;
    const STEPS = 10;
    const increment = async (): Promise<void> => {
      let current = await store.get('counter');
      for (;;) {
        const next = Number(current?.value.toString() ?? '0') + 1;
        const result = await store.transact({
          compare: [{ key: 'counter', modRevision: current?.modRevision ?? 0 }],
          writes: [put('counter', `${next}`)],
        });
        if (result.succeeded) return;
        [current] = result.current;
      }
    };
    const writer = async (): Promise<void> => {
      for (let step = 0; step < STEPS; step++) await increment();
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
    assert.equal((await store.get('counter'))?.value.toString(), `${WRITERS * STEPS}`);
  });

  it('what was acknowledged is read, whoever reads', async (store) => {
    const revisions = await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        const revision = await write(store, put(`k${at}`, `${at}`));
        assert.equal((await store.get(`k${at}`))?.modRevision, revision);
        assert.ok(store.revision >= revision);
        return revision;
      }),
    );
    assert.equal(new Set(revisions).size, 50);
  });
}

function describeClose(it: It): void {
  it('a closed store ends its watches and refuses work', async (store) => {
    const recorder = new Recorder(store, 'a', 'b');
    await write(store, put('a', '1'));
    await recorder.untilEvents(1);
    await store.close();
    await store.close();
    await recorder.until(() => recorder.ends.length > 0);
    assert.equal(recorder.ends.length, 1);
    assert.ok(recorder.ends[0] instanceof StoreUnavailableError);
    const unavailable = (error: unknown): boolean => error instanceof StoreUnavailableError;
    await assert.rejects(store.get('a'), unavailable);
    await assert.rejects(store.range('a', 'b'), unavailable);
    await assert.rejects(write(store, put('a', '2')), unavailable);
    await assert.rejects(store.grantLease(1_000), unavailable);
    const late = new Recorder(store, 'a', 'b');
    await late.until(() => late.ends.length > 0);
    assert.ok(late.ends[0] instanceof StoreUnavailableError);
  });

  it('an aborted signal refuses the call with its reason', async (store) => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await assert.rejects(store.get('a', { signal }), reason);
    await assert.rejects(store.range('a', 'b', { signal }), reason);
    await assert.rejects(store.transact({ compare: [], writes: [put('a', '1')] }, { signal }), reason);
    assert.equal(await store.get('a'), undefined);
  });
}

type Step =
  | { readonly kind: 'write'; readonly writes: readonly { readonly key: string; readonly value?: number }[] }
  | { readonly kind: 'compact'; readonly back: number };

const MODEL_KEYS = ['m/a', 'm/b', 'm/c', 'm/é', 'n'];

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      writes: fc.uniqueArray(
        fc.record({ key: fc.constantFrom(...MODEL_KEYS), value: fc.nat(99) }, { requiredKeys: ['key'] }),
        { minLength: 1, maxLength: 3, selector: (each) => each.key },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), back: fc.nat(4) }) },
);

/** The plainest store there is: a list of whole states, one per revision. */
class Model {
  readonly states = new Map<Revision, ReadonlyMap<string, string>>();
  readonly events: { readonly revision: Revision; readonly shown: string }[] = [];
  compactRevision: Revision = 0;

  range(revision: Revision): readonly string[] {
    const state = this.states.get(revision) ?? new Map<string, string>();
    return [...state.entries()]
      .filter(([key]) => key.startsWith('m/'))
      .sort(([a], [b]) => Buffer.compare(bytes(a), bytes(b)))
      .map(([, shown]) => shown);
  }
}

async function writeHistory(store: Store, steps: readonly Step[]): Promise<Model> {
  const model = new Model();
  for (const key of MODEL_KEYS) await write(store, remove(key));
  let revision = await write(store, put('begin', ''));
  model.states.set(revision, new Map());
  const created = new Map<string, Revision>();
  for (const each of steps) {
    if (each.kind === 'compact') {
      const target = revision - each.back;
      if (!model.states.has(target) || target <= model.compactRevision) continue;
      await store.compact(target);
      model.compactRevision = target;
      continue;
    }
    const before = model.states.get(revision) ?? new Map<string, string>();
    const after = new Map(before);
    const next = revision + 1;
    const changes = each.writes.filter(({ key, value }) => value !== undefined || before.has(key));
    for (const { key, value } of changes) {
      if (!before.has(key)) created.set(key, next);
      const shown =
        value === undefined ? `${key} deleted@${next}` : `${key}=${value}@${created.get(key)}/${next}`;
      if (value === undefined) after.delete(key);
      else after.set(key, shown);
      if (key.startsWith('m/')) model.events.push({ revision: next, shown });
    }
    const got = await write(
      store,
      ...each.writes.map(({ key, value }) => (value === undefined ? remove(key) : put(key, `${value}`))),
    );
    assert.equal(got, changes.length > 0 ? next : revision);
    revision = got;
    model.states.set(revision, after);
  }
  return model;
}

function describeModel(it: It, options: StoreContractOptions): void {
  it('random histories read and watched at every revision agree with the plainest model', async (store) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const model = await writeHistory(store, steps);
        for (const revision of model.states.keys()) {
          if (revision < model.compactRevision) continue;
          const seen = await store.range('m/', 'm0', { revision });
          assert.deepEqual(seen.kvs.map(showKv), model.range(revision), `read at ${revision}`);
          assert.equal(seen.count, seen.kvs.length);
        }
        const from = Math.max(model.compactRevision, [...model.states.keys()][0] ?? 0) + 1;
        const expected = model.events.filter((event) => event.revision >= from).map((event) => event.shown);
        const recorder = new Recorder(store, 'm/', 'm0', { fromRevision: from });
        await recorder.untilEvents(expected.length);
        recorder.watch.close();
        assert.deepEqual(
          recorder.events.map((event) => showEvent(event).split(' was ')[0]),
          expected,
        );
      }),
      { numRuns: options.modelRuns },
    );
  });
}
