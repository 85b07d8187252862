/**
 * What every store promises, as one suite that memory, embedded and etcd run (`store.ts` is the contract in words).
 * Tests share nothing but the server behind the store, so they speak of revisions relative to where they began.
 */
import { test } from 'node:test';
import type { StoreContractOptions, StoreUnderTest } from './contract/fixture.contract.ts';
import { describeModel } from './contract/history-model.contract.ts';
import { describeClose, describeLeases, describeRaces } from './contract/leases.contract.ts';
import { describeRanges, describeTransactions } from './contract/transactions.contract.ts';
import { describeCompaction, describeWatches } from './contract/watches.contract.ts';
import type { Store } from './store.ts';

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
