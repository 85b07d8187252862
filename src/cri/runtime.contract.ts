/** What every container runtime must do, whatever it is made of. Each implementation runs this suite. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  ContainerConfig,
  ContainerEvent,
  ImageService,
  PodSandboxConfig,
  RuntimeErrorCode,
  RuntimeService,
} from './runtime.ts';
import { RuntimeError } from './runtime.ts';

export interface RuntimeUnderTest {
  readonly runtime: RuntimeService;
  readonly images: ImageService;
  /** Name of an image that `pullImage` can get. */
  readonly image: string;
  /** Name of an image that does not exist. */
  readonly missingImage: string;
  readonly commands: {
    /** Runs until it gets the stop signal, then leaves at once. */
    readonly forever: readonly string[];
    /** Runs and takes no notice of the stop signal. */
    readonly stubborn: readonly string[];
    exit(code: number): readonly string[];
  };
  /** Sandboxes get addresses. */
  readonly hasNetwork: boolean;
  /** A sandbox of its own for each name. */
  sandboxConfig(name: string): PodSandboxConfig;
  /** The suite sets the image. */
  containerConfig(name: string, command: readonly string[]): ContainerConfig;
  /** Resolves with the exit code when the container has ended of itself. */
  ended(containerId: string): Promise<number>;
  /** Lets the runtime's clock run while `work` is under way. */
  whileTimePasses<T>(work: Promise<T>): Promise<T>;
  dispose(): Promise<void>;
}

interface Started {
  readonly sandboxId: string;
  readonly containerId: string;
  readonly sandbox: PodSandboxConfig;
}

/** `skip`: why the suite cannot run here. */
export function runtimeContract(
  title: string,
  open: () => Promise<RuntimeUnderTest>,
  options: { readonly skip?: string } = {},
): void {
  const check = (name: string, body: (it: RuntimeUnderTest) => Promise<void>): void => {
    void test(`${title}: ${name}`, { skip: options.skip ?? false }, async () => {
      const subject = await open();
      try {
        await body(subject);
      } finally {
        await subject.dispose();
      }
    });
  };

  check('a sandbox is ready, listed and knows what it was made from', async (it) => {
    const config = it.sandboxConfig('one');
    const id = await it.runtime.runPodSandbox(config, '');
    const status = await it.runtime.podSandboxStatus(id);
    assert.equal(status.state, 'SANDBOX_READY');
    assert.deepEqual(status.metadata, config.metadata);
    assert.deepEqual(status.labels, config.labels);
    assert.deepEqual(status.annotations, config.annotations);
    assert.equal(status.ips.length > 0, it.hasNetwork);
    const listed = await it.runtime.listPodSandboxes();
    assert.ok(listed.some((sandbox) => sandbox.id === id && sandbox.state === 'SANDBOX_READY'));
  });

  check('stopping and removing a sandbox may be repeated, and is fine for one that never was', async (it) => {
    const id = await it.runtime.runPodSandbox(it.sandboxConfig('one'), '');
    await it.runtime.stopPodSandbox(id);
    assert.equal((await it.runtime.podSandboxStatus(id)).state, 'SANDBOX_NOTREADY');
    await it.runtime.stopPodSandbox(id);
    await it.runtime.removePodSandbox(id);
    await it.runtime.removePodSandbox(id);
    await it.runtime.stopPodSandbox('no-such-sandbox');
    await it.runtime.removePodSandbox('no-such-sandbox');
    await rejectsWith('NOT_FOUND', it.runtime.podSandboxStatus(id));
  });

  check('a container is created, runs and ends with its exit code', async (it) => {
    const { sandboxId, containerId } = await create(it, it.commands.exit(3));
    const created = await it.runtime.containerStatus(containerId);
    assert.equal(created.state, 'CONTAINER_CREATED');
    assert.equal(created.podSandboxId, sandboxId);
    await it.runtime.startContainer(containerId);
    assert.equal(await it.ended(containerId), 3);
    const ended = await it.runtime.containerStatus(containerId);
    assert.equal(ended.state, 'CONTAINER_EXITED');
    assert.equal(ended.reason, 'Error');
    assert.ok(ended.createdAt <= ended.startedAt && ended.startedAt <= ended.finishedAt);
    assert.notEqual(ended.imageRef, '');
  });

  check('a container that ends well is Completed', async (it) => {
    const { containerId } = await start(it, it.commands.exit(0));
    assert.equal(await it.ended(containerId), 0);
    assert.equal((await it.runtime.containerStatus(containerId)).reason, 'Completed');
  });

  check('a container keeps the labels, annotations and attempt it was made with', async (it) => {
    const { containerId } = await create(it, it.commands.forever);
    const config = it.containerConfig('app', it.commands.forever);
    const status = await it.runtime.containerStatus(containerId);
    assert.deepEqual(status.metadata, config.metadata);
    assert.deepEqual(status.labels, config.labels);
    assert.deepEqual(status.annotations, config.annotations);
    assert.ok(status.logPath.endsWith(config.logPath));
  });

  check('a container can be started only once', async (it) => {
    const { containerId } = await start(it, it.commands.forever);
    await rejectsWith('FAILED_PRECONDITION', it.runtime.startContainer(containerId));
    await rejectsWith('NOT_FOUND', it.runtime.startContainer('no-such-container'));
  });

  check('stopping ends a container, may be repeated, and is fine for one that never was', async (it) => {
    const { containerId } = await start(it, it.commands.forever);
    await it.whileTimePasses(it.runtime.stopContainer(containerId, 30));
    assert.equal((await it.runtime.containerStatus(containerId)).state, 'CONTAINER_EXITED');
    await it.runtime.stopContainer(containerId, 30);
    await it.runtime.stopContainer('no-such-container', 30);
  });

  check('a container that takes no notice of the stop signal is killed when its time is up', async (it) => {
    const { containerId } = await start(it, it.commands.stubborn);
    await it.whileTimePasses(it.runtime.stopContainer(containerId, 1));
    assert.equal((await it.runtime.containerStatus(containerId)).exitCode, 137);
  });

  check('leaving a stop early leaves the container running, and a second stop may be quicker', async (it) => {
    const { containerId } = await start(it, it.commands.stubborn);
    const leave = new AbortController();
    const first = it.runtime.stopContainer(containerId, 3600, { signal: leave.signal });
    leave.abort(new Error('the grace period was shortened'));
    await assert.rejects(first, /shortened/);
    assert.equal((await it.runtime.containerStatus(containerId)).state, 'CONTAINER_RUNNING');
    await it.whileTimePasses(it.runtime.stopContainer(containerId, 1));
    assert.equal((await it.runtime.containerStatus(containerId)).state, 'CONTAINER_EXITED');
  });

  check(
    'removing ends a running container, may be repeated, and is fine for one that never was',
    async (it) => {
      const { containerId } = await start(it, it.commands.forever);
      await it.runtime.removeContainer(containerId);
      await it.runtime.removeContainer(containerId);
      await it.runtime.removeContainer('no-such-container');
      await rejectsWith('NOT_FOUND', it.runtime.containerStatus(containerId));
    },
  );

  check('containers are listed by sandbox', async (it) => {
    const one = await create(it, it.commands.forever, 'one');
    const two = await create(it, it.commands.forever, 'two');
    const ids = async (podSandboxId?: string): Promise<string[]> =>
      (await it.runtime.listContainers(podSandboxId === undefined ? {} : { podSandboxId })).map(
        ({ id }) => id,
      );
    assert.deepEqual(await ids(one.sandboxId), [one.containerId]);
    assert.deepEqual(await ids('no-such-sandbox'), []);
    const all = await ids();
    assert.ok(all.includes(one.containerId) && all.includes(two.containerId));
  });

  check('stopping a sandbox ends its containers, removing it removes them', async (it) => {
    const { sandboxId, containerId } = await start(it, it.commands.forever);
    await it.whileTimePasses(it.runtime.stopPodSandbox(sandboxId));
    assert.equal((await it.runtime.containerStatus(containerId)).state, 'CONTAINER_EXITED');
    await it.runtime.removePodSandbox(sandboxId);
    await rejectsWith('NOT_FOUND', it.runtime.containerStatus(containerId));
  });

  check('every change of a container is told, with the pod it belongs to', async (it) => {
    const events: ContainerEvent[] = [];
    const unsubscribe = it.runtime.onEvent((event) => events.push(event));
    const { sandboxId, containerId, sandbox } = await start(it, it.commands.forever);
    await it.whileTimePasses(it.runtime.stopContainer(containerId, 30));
    await it.runtime.removeContainer(containerId);
    const told = events.filter((event) => event.containerId === containerId);
    assert.deepEqual(
      [...new Set(told.map(({ type }) => type))],
      ['CONTAINER_CREATED', 'CONTAINER_STARTED', 'CONTAINER_STOPPED', 'CONTAINER_DELETED'],
    );
    for (const { podUid, podSandboxId } of told) {
      assert.equal(podUid, sandbox.metadata.uid);
      assert.equal(podSandboxId, sandboxId);
    }
    unsubscribe();
    const before = events.length;
    await it.runtime.removePodSandbox(sandboxId);
    assert.equal(events.length, before);
  });

  check(
    'when a container has ended by itself, its status already says so when the event is told',
    async (it) => {
      const { containerId } = await create(it, it.commands.exit(7));
      const seen = Promise.withResolvers<number>();
      it.runtime.onEvent(({ type, containerId: id }) => {
        if (type !== 'CONTAINER_STOPPED' || id !== containerId) return;
        it.runtime.containerStatus(id).then(({ exitCode }) => seen.resolve(exitCode), seen.reject);
      });
      await it.runtime.startContainer(containerId);
      await it.ended(containerId);
      assert.equal(await seen.promise, 7);
    },
  );

  check('a container needs a sandbox and an image that exist', async (it) => {
    const sandbox = it.sandboxConfig('one');
    const image = await it.images.pullImage(it.image);
    const config = { ...it.containerConfig('app', it.commands.forever), image };
    await rejectsWith('NOT_FOUND', it.runtime.createContainer('no-such-sandbox', config, sandbox));
    const id = await it.runtime.runPodSandbox(sandbox, '');
    const lost = { ...config, image: it.missingImage };
    await rejectsWith('NOT_FOUND', it.runtime.createContainer(id, lost, sandbox));
  });

  check('a command can be run only in a running container', async (it) => {
    const { containerId } = await start(it, it.commands.forever);
    const done = await it.runtime.execSync(containerId, ['true'], 10);
    assert.equal(done.exitCode, 0);
    assert.equal(done.timedOut, false);
    await it.whileTimePasses(it.runtime.stopContainer(containerId, 30));
    await assert.rejects(it.runtime.execSync(containerId, ['true'], 10), RuntimeError);
  });

  check('resources of a running container can be changed', async (it) => {
    const { containerId } = await start(it, it.commands.forever);
    await it.runtime.updateContainerResources(containerId, { cpuShares: 512 });
    assert.equal((await it.runtime.containerStatus(containerId)).resources.cpuShares, 512);
  });

  check('a pulled image is known by name and id until it is removed', async (it) => {
    const id = await it.images.pullImage(it.image);
    const byName = await it.images.imageStatus(it.image);
    assert.equal(byName?.id, id);
    assert.deepEqual(await it.images.imageStatus(id), byName);
    assert.ok((await it.images.listImages()).some((image) => image.id === id));
    assert.equal(await it.images.pullImage(it.image), id);
    await it.images.removeImage(it.image);
    await it.images.removeImage(it.image);
    assert.equal(await it.images.imageStatus(it.image), undefined);
  });

  check('an image that a container uses stays', async (it) => {
    await create(it, it.commands.forever);
    await rejectsWith('FAILED_PRECONDITION', it.images.removeImage(it.image));
    assert.notEqual(await it.images.imageStatus(it.image), undefined);
  });

  check('an image that does not exist cannot be pulled, and the error names it', async (it) => {
    assert.equal(await it.images.imageStatus(it.missingImage), undefined);
    await assert.rejects(it.images.pullImage(it.missingImage), (e: unknown) => {
      assert.ok(e instanceof RuntimeError);
      assert.ok(e.message.includes(it.missingImage.replace(/:.*$/, '')), e.message);
      return true;
    });
  });

  check('it says who it is and that it is ready', async (it) => {
    assert.equal((await it.runtime.version()).runtimeApiVersion, 'v1');
    assert.equal((await it.runtime.status()).ready, true);
  });
}

async function create(it: RuntimeUnderTest, command: readonly string[], name = 'one'): Promise<Started> {
  const sandbox = it.sandboxConfig(name);
  const image = await it.images.pullImage(it.image);
  const sandboxId = await it.runtime.runPodSandbox(sandbox, '');
  const config = { ...it.containerConfig('app', command), image };
  const containerId = await it.runtime.createContainer(sandboxId, config, sandbox);
  return { sandboxId, containerId, sandbox };
}

async function start(it: RuntimeUnderTest, command: readonly string[]): Promise<Started> {
  const started = await create(it, command);
  await it.runtime.startContainer(started.containerId);
  return started;
}

async function rejectsWith(code: RuntimeErrorCode, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (e: unknown) => {
    assert.ok(e instanceof RuntimeError, String(e));
    assert.equal(e.code, code);
    return true;
  });
}
