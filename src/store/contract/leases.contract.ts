import assert from 'node:assert/strict';
import { LeaseNotFoundError, StoreUnavailableError } from '../store.ts';
import { Recorder, put, showKv, write } from './fixture.contract.ts';
import type { It } from './fixture.contract.ts';

const LEASE_TTL_MS = 2_000;

export function describeLeases(it: It): void {
  it('keys of a lease that is not kept alive are deleted together', async (store, under) => {
    const leaseId = await store.grantLease(LEASE_TTL_MS);
    const recorder = new Recorder(store, 'a', 'z');
    const first = await write(store, put('a', '1', leaseId), put('b', '1', leaseId), put('c', '1'));
    await write(store, put('b', '2'));
    await write(store, put('d', '1', leaseId));
    assert.equal((await store.get('a'))?.leaseId, leaseId);
    assert.equal((await store.get('b'))?.leaseId, undefined);
    await under.passTime(LEASE_TTL_MS);
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
      await under.passTime(LEASE_TTL_MS * 0.8);
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

export function describeRaces(it: It): void {
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

export function describeClose(it: It): void {
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
