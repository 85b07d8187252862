import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Revision, Store } from '../store.ts';
import { Recorder, bytes, put, remove, showEvent, showKv, write } from './fixture.contract.ts';
import type { It, StoreContractOptions } from './fixture.contract.ts';

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

export function describeModel(it: It, options: StoreContractOptions): void {
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
