import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import {
  expired,
  type KubeObject,
  StatusError,
  type ApiEndpoint,
  type WatchEvent,
  type WatchOptions,
} from '#machinery';
import { silentLogger } from '#platform';
import { seededRandom, VirtualClock } from '#testing';
import { createClient } from './create-client.ts';
import { createInformerFactory } from './informer-factory.ts';
import { resources } from './resources.ts';

interface Watch {
  readonly options: WatchOptions;
  send(...events: readonly WatchEvent[]): void;
  end(error?: Error): void;
}

/** An endpoint whose answers the test writes by hand; it holds no state of its own. */
class ScriptedEndpoint implements ApiEndpoint {
  readonly watches: Watch[] = [];
  readonly lists: unknown[] = [];
  refuseWatch: ((options: WatchOptions) => Error | undefined) | undefined;
  listAnswer: readonly KubeObject[] = [];

  async request(request: Parameters<ApiEndpoint['request']>[0]): ReturnType<ApiEndpoint['request']> {
    assert.equal(request.verb, 'list');
    this.lists.push(request.options);
    const metadata = { resourceVersion: '50' };
    return {
      code: 200,
      warnings: [],
      object: { apiVersion: 'v1', kind: 'PodList', metadata, items: this.listAnswer },
    };
  }

  async watch(...[request, call]: Parameters<ApiEndpoint['watch']>): Promise<AsyncIterable<WatchEvent>> {
    const options = request.options ?? {};
    const refusal = this.refuseWatch?.(options);
    if (refusal !== undefined) throw refusal;
    const queue: (WatchEvent | Error | 'end')[] = [];
    let wake = Promise.withResolvers<void>();
    const push = (item: WatchEvent | Error | 'end'): void => {
      queue.push(item);
      wake.resolve();
      wake = Promise.withResolvers<void>();
    };
    this.watches.push({
      options,
      send: (...events) => events.forEach(push),
      end: (error) => push(error ?? 'end'),
    });
    call?.signal?.addEventListener('abort', () => push('end'), { once: true });
    return (async function* () {
      for (;;) {
        const item = queue.shift();
        if (item === undefined) await wake.promise;
        else if (item === 'end') return;
        else if (item instanceof Error) throw item;
        else yield item;
      }
    })();
  }

  last(): Watch {
    const watch = this.watches.at(-1);
    assert.ok(watch !== undefined, 'no watch was opened');
    return watch;
  }
}

const pod = (
  name: string,
  resourceVersion: number,
  extra: { readonly uid?: string; readonly node?: string } = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'default',
    uid: extra.uid ?? `uid-${name}`,
    resourceVersion: String(resourceVersion),
  },
  spec: { nodeName: extra.node },
});
const added = (object: KubeObject): WatchEvent => ({ type: 'ADDED', object });
const modified = (object: KubeObject): WatchEvent => ({ type: 'MODIFIED', object });
const deleted = (object: KubeObject): WatchEvent => ({ type: 'DELETED', object });
const initialEnd = (resourceVersion: number): WatchEvent => ({
  type: 'BOOKMARK',
  object: {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      resourceVersion: String(resourceVersion),
      annotations: { 'k8s.io/initial-events-end': 'true' },
    },
  },
});

function setUp() {
  const clock = new VirtualClock();
  const endpoint = new ScriptedEndpoint();
  const factory = createInformerFactory({
    client: createClient(endpoint),
    clock,
    random: seededRandom(1),
    logger: silentLogger,
  });
  const pods = factory.for(resources.pods);
  const seen: string[] = [];
  pods.addHandler({
    onAdd: (object) => seen.push(`add ${object.metadata.name}@${object.metadata.resourceVersion}`),
    onUpdate: (object, old) =>
      seen.push(
        `update ${object.metadata.name}@${old.metadata.resourceVersion}→${object.metadata.resourceVersion}`,
      ),
    onDelete: (object) => seen.push(`delete ${object.metadata.name}@${object.metadata.resourceVersion}`),
  });
  return { clock, endpoint, factory, pods, seen };
}

test('the initial state comes through the watch and counts when its bookmark arrives', async () => {
  const { clock, endpoint, factory, pods, seen } = setUp();
  factory.start();
  await clock.settle();
  const { options } = endpoint.last();
  assert.equal(options.sendInitialEvents, true);
  assert.equal(options.resourceVersionMatch, 'NotOlderThan');
  assert.equal(options.allowWatchBookmarks, true);
  endpoint.last().send(added(pod('a', 5)), added(pod('b', 7)));
  await clock.settle();
  assert.equal(pods.hasSynced, false);
  assert.deepEqual(seen, []);
  endpoint.last().send(initialEnd(9));
  await pods.synced();
  assert.deepEqual(seen, ['add a@5', 'add b@7']);
  endpoint.last().send(modified(pod('a', 10)), deleted(pod('b', 11)));
  await clock.settle();
  assert.deepEqual(seen.slice(2), ['update a@5→10', 'delete b@11']);
  await factory.stop();
});

test('a watch that ended is taken up again from the last resourceVersion', async () => {
  const { clock, endpoint, factory, seen } = setUp();
  factory.start();
  await clock.settle();
  endpoint.last().send(added(pod('a', 5)), initialEnd(9), modified(pod('a', 12)));
  await clock.settle();
  endpoint.last().end();
  await clock.settle();
  assert.equal(endpoint.watches.length, 2);
  assert.equal(endpoint.last().options.resourceVersion, '12');
  assert.equal(endpoint.last().options.sendInitialEvents, undefined);
  endpoint.last().send(modified(pod('a', 13)));
  await clock.settle();
  assert.deepEqual(seen, ['add a@5', 'update a@5→12', 'update a@12→13']);
  await factory.stop();
});

test('after 410 the state is read anew at once: missed deletions are told, unchanged objects are not', async () => {
  const { clock, endpoint, factory, seen } = setUp();
  factory.start();
  await clock.settle();
  endpoint.last().send(added(pod('a', 5)), added(pod('b', 6)), added(pod('c', 7)), initialEnd(9));
  await clock.settle();
  seen.length = 0;
  endpoint.last().send({ type: 'ERROR', object: expired('too old resource version: 9 (20)').toStatus() });
  await clock.settle();
  assert.equal(endpoint.last().options.sendInitialEvents, true);
  endpoint.last().send(added(pod('b', 6)), added(pod('c', 21)), added(pod('d', 22)), initialEnd(25));
  await clock.settle();
  assert.deepEqual(seen, ['delete a@5', 'update c@7→21', 'add d@22']);
  await factory.stop();
});

test('an object recreated under its name is a deletion and an addition', async () => {
  const { clock, endpoint, factory, seen } = setUp();
  factory.start();
  await clock.settle();
  endpoint.last().send(added(pod('a', 5)), initialEnd(9), modified(pod('a', 12, { uid: 'other' })));
  await clock.settle();
  assert.deepEqual(seen, ['add a@5', 'delete a@5', 'add a@12']);
  await factory.stop();
});

test('a server that refuses WatchList is asked for a list and a watch from its resourceVersion', async () => {
  const { clock, endpoint, factory, pods, seen } = setUp();
  endpoint.listAnswer = [pod('a', 5)];
  endpoint.refuseWatch = (options) =>
    options.sendInitialEvents === true
      ? new StatusError(
          422,
          'Invalid',
          'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled',
        )
      : undefined;
  factory.start();
  await clock.settle();
  assert.equal(pods.hasSynced, true);
  assert.deepEqual(endpoint.lists, [{ limit: 500 }]);
  assert.equal(endpoint.last().options.resourceVersion, '50');
  assert.deepEqual(seen, ['add a@5']);
  await factory.stop();
});

test('failures are tried again after a growing, jittered pause', async () => {
  const { clock, endpoint, factory } = setUp();
  const at: number[] = [];
  endpoint.refuseWatch = () => {
    at.push(clock.monotonic());
    return new Error('connection refused');
  };
  factory.start();
  await clock.advance(60_000);
  const pauses = at.slice(1).map((time, i) => time - (at[i] ?? 0));
  [800, 1600, 3200, 6400, 12_800].forEach((base, i) => {
    const pause = pauses[i] ?? 0;
    assert.ok(pause >= base && pause <= base * 2, `pause ${i} was ${pause}`);
  });
  await factory.stop();
  assert.equal(clock.pendingTimers, 0);
});

test('a server that ends every watch at once is not asked again and again without a pause', async () => {
  const { clock, endpoint, factory } = setUp();
  factory.start();
  await clock.settle();
  endpoint.last().send(initialEnd(9));
  endpoint.last().end();
  await clock.settle();
  assert.equal(endpoint.watches.length, 2);
  endpoint.last().end();
  await clock.settle();
  assert.equal(endpoint.watches.length, 2);
  await clock.advance(1600);
  assert.equal(endpoint.watches.length, 3);
  await factory.stop();
});

test('a handler added later is told of everything already known, and a removed one of nothing more', async () => {
  const { clock, endpoint, factory, pods } = setUp();
  factory.start();
  await clock.settle();
  endpoint.last().send(added(pod('a', 5)), initialEnd(9));
  await clock.settle();
  const late: string[] = [];
  const remove = pods.addHandler({ onAdd: (object) => late.push(object.metadata.name) });
  assert.deepEqual(late, ['a']);
  remove();
  endpoint.last().send(added(pod('b', 10)));
  await clock.settle();
  assert.deepEqual(late, ['a']);
  await factory.stop();
});

test('a handler that throws does not keep the others from hearing', async () => {
  const { clock, endpoint, factory, pods } = setUp();
  pods.addHandler({
    onAdd: () => {
      throw new Error('broken handler');
    },
  });
  const heard: string[] = [];
  pods.addHandler({ onAdd: (object) => heard.push(object.metadata.name) });
  factory.start();
  await clock.settle();
  endpoint.last().send(added(pod('a', 5)), added(pod('b', 6)), initialEnd(9));
  await clock.settle();
  assert.deepEqual(heard, ['a', 'b']);
  await factory.stop();
});

test('indexes follow every change', async () => {
  const { clock, endpoint, factory, pods } = setUp();
  const byNode = (object: coreV1.Pod): readonly string[] => [object.spec.nodeName ?? ''];
  pods.addIndex('node', byNode);
  pods.addIndex('node', byNode);
  assert.throws(() => pods.addIndex('node', () => []), /index "node" already has another function/);
  factory.start();
  await clock.settle();
  endpoint.last().send(added(pod('a', 5, { node: 'n1' })), added(pod('b', 6, { node: 'n1' })), initialEnd(9));
  await clock.settle();
  const names = (node: string): readonly string[] =>
    pods.byIndex('node', node).map((object) => object.metadata.name);
  assert.deepEqual(names('n1'), ['a', 'b']);
  endpoint.last().send(modified(pod('a', 10, { node: 'n2' })), deleted(pod('b', 11, { node: 'n1' })));
  await clock.settle();
  assert.deepEqual(names('n1'), []);
  assert.deepEqual(names('n2'), ['a']);
  assert.deepEqual(
    pods.list('default').map((object) => object.metadata.name),
    ['a'],
  );
  assert.deepEqual(pods.list('other'), []);
  await factory.stop();
});

test('one informer per resource and scope, whoever asks', () => {
  const { factory, pods } = setUp();
  assert.equal(factory.for(resources.pods), pods);
  assert.notEqual(factory.for(resources.pods, { namespace: 'default' }), pods);
  assert.equal(factory.for(resources.nodes), factory.for(resources.nodes));
});

test('waiting for the first state ends when the signal aborts', async () => {
  const { factory, pods } = setUp();
  factory.start();
  const stop = new AbortController();
  const waiting = pods.synced({ signal: stop.signal });
  stop.abort(new Error('never mind'));
  await assert.rejects(waiting, /never mind/);
});
