import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import type { KubeObject } from '#machinery';
import { CacheEntry } from '../watch-cache/cache-entry.ts';
import { CacheEvent, type WatchEncoder } from '../watch-cache/cache-event.ts';
import { Selection } from '../watch-cache/selection.ts';
import { WatcherGroup } from '../watch-cache/subscriptions.ts';
import { MAX_BACKLOG_BYTES, WatchBroadcasts, WatchStream } from './watch-broadcast.ts';

/** Takes each write only when told to. */
class SlowOutput extends Writable {
  readonly written: string[] = [];
  #take: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.written.push(chunk.toString());
    this.#take = callback;
  }

  async take(): Promise<void> {
    this.#take?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const encoder: WatchEncoder = {
  change: (type, entry) => Buffer.from(`${type} ${entry.key};`),
  bookmark: () => Buffer.from('BOOKMARK;'),
  error: () => Buffer.from('ERROR;'),
};

function entryNamed(name: string, revision = 1): CacheEntry {
  const object: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } };
  return CacheEntry.fromObject(name, revision, object);
}

const changed = (name: string, revision: number): CacheEvent =>
  new CacheEvent(revision, entryNamed(name, revision), undefined);

function setUp(state: readonly CacheEntry[] = []) {
  const group = new WatcherGroup(new Selection({}), () => undefined);
  const broadcasts = new WatchBroadcasts();
  const join = () => {
    const output = new SlowOutput();
    const outcome = { ended: false };
    const stream = new WatchStream({ output, allowBookmarks: true, onEnd: () => (outcome.ended = true) });
    const opened = {
      state,
      changes: [],
      initialEventsEnd: undefined,
      revision: 1,
      group: () => group,
    };
    return { output, stream, outcome, leave: broadcasts.join(stream, opened, encoder) };
  };
  return { group, join };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('an idle watcher sees a change at once, a busy one several in one write', async () => {
  const { group, join } = setUp();
  const { output } = join();
  group.deliver(changed('a', 2));
  await turn();
  assert.deepEqual(output.written, ['ADDED a;']);
  group.deliver(changed('b', 3));
  group.deliver(changed('c', 4));
  await turn();
  assert.deepEqual(output.written, ['ADDED a;'], 'the first write is still on its way');
  await output.take();
  assert.deepEqual(output.written, ['ADDED a;', 'ADDED b;ADDED c;']);
});

test('changes that come while the initial state is being sent are not left lying', async () => {
  const { group, join } = setUp([entryNamed('old')]);
  const { output } = join();
  group.deliver(changed('a', 2));
  await turn();
  await output.take();
  group.deliver(changed('b', 3));
  await output.take();
  await output.take();
  assert.equal(output.written.join(''), 'ADDED old;ADDED a;ADDED b;');
});

test('a large state is encoded as the connection takes it, and what changes meanwhile comes behind it', async () => {
  const large = 40_000;
  const { group, join } = setUp(['a', 'b', 'c'].map((name) => entryNamed(name.repeat(large))));
  const { output, stream } = join();
  await turn();
  const shown = () => output.written.map((text) => text.replaceAll(/([a-z])\1+/g, '$1'));
  assert.deepEqual(shown(), ['ADDED a;ADDED b;'], 'the third is not encoded yet');
  group.deliver(changed('x', 2));
  await turn();
  await output.take();
  assert.deepEqual(shown(), ['ADDED a;ADDED b;', 'ADDED c;']);
  await output.take();
  assert.deepEqual(shown(), ['ADDED a;ADDED b;', 'ADDED c;', 'ADDED x;']);
  stream.end();
});

test('a watch that ends before its first state is shown says nothing that comes behind it', async () => {
  const { group, join } = setUp(['a', 'b', 'c'].map((name) => entryNamed(name.repeat(40_000))));
  const { output, stream } = join();
  group.deliver(changed('x', 2));
  await turn();
  stream.end(Buffer.from('BOOKMARK;'));
  await output.take();
  assert.equal(output.written.length, 1);
  assert.equal(output.writableFinished, true);
});

test('a slow watcher does not hold up the others, and is ended when it is too far behind', async () => {
  const { group, join } = setUp();
  const slow = join();
  const quick = join();
  const large: WatchEncoder = { ...encoder, change: () => Buffer.alloc(MAX_BACKLOG_BYTES / 2) };
  group.deliver(changed('a', 2));
  await turn();
  for (const revision of [3, 4, 5]) {
    await quick.output.take();
    group.deliver(changed(`n${revision}`, revision));
    await turn();
  }
  assert.equal(quick.output.written.join(''), 'ADDED a;ADDED n3;ADDED n4;ADDED n5;');
  assert.deepEqual(slow.output.written, ['ADDED a;']);
  for (let i = 0; i < 3; i++)
    slow.stream.write(
      large.change('ADDED', CacheEntry.fromObject('x', 1, { apiVersion: '', kind: '', metadata: {} })),
    );
  assert.equal(slow.outcome.ended, true);
});
