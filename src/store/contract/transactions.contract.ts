import assert from 'node:assert/strict';
import { FutureRevisionError, MAX_KEY_BYTES, MAX_TRANSACTION_OPERATIONS, prefixEnd } from '../store.ts';
import type { Revision, Write } from '../store.ts';
import { bytes, put, remove, showKv, write } from './fixture.contract.ts';
import type { It, StoreContractOptions } from './fixture.contract.ts';

export function describeTransactions(it: It, options: StoreContractOptions): void {
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

export function describeRanges(it: It): void {
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
