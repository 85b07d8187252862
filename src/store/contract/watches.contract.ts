import assert from 'node:assert/strict';
import { CompactedError, FutureRevisionError, prefixEnd } from '../store.ts';
import type { Revision, StoreEvent } from '../store.ts';
import { Recorder, put, remove, showEvent, showKv, write } from './fixture.contract.ts';
import type { It, StoreContractOptions } from './fixture.contract.ts';

export function describeWatches(it: It, options: StoreContractOptions): void {
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

  it('progress reaches a watch that begins in the past, once it has been told what happened', async (store) => {
    const first = await write(store, put('a', '1'));
    const last = await write(store, put('b', '1'));
    const seen: string[] = [];
    const past = new Recorder(store, 'a', 'b', {
      fromRevision: first,
      onEvents: () => seen.push('a change'),
      onProgress: (revision) => seen.push(revision >= last ? 'all' : 'some'),
    });
    await store.requestProgress();
    if (options.reportsProgressOfThePast === false) {
      await write(store, put('a', '2'));
      await past.untilEvents(2);
      await store.requestProgress();
    }
    await past.until(() => past.progress.some((revision) => revision >= last));
    assert.equal(seen[0], 'a change');
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

export function describeCompaction(it: It): void {
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
