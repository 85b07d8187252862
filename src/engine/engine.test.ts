import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';
import type { Clock } from '#platform';
import { systemClock } from '#platform/node';
import { createEngine } from './engine.ts';
import { unmountBelow } from './kernel/mounts.ts';
import { engineFixture, untilEnded, whyNoContainers } from './engine.fixture.ts';
import type { Fixture } from './engine.fixture.ts';

const immediate = promisify(setImmediate);

const skip = whyNoContainers() ?? false;

interface Started {
  readonly sandboxId: string;
  readonly ids: readonly string[];
}

/** Starts containers in an engine of another process, then kills that process. */
async function startAndKill(fixture: Fixture, commands: readonly (readonly string[])[]): Promise<Started> {
  const sandbox = fixture.sandboxConfig('mortal');
  const containers = commands.map((command, i) => fixture.containerConfig(`c${i}`, command));
  const program = join(import.meta.dirname, 'fixtures/mortal-engine.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const { rootDir, stateDir } = fixture.options;
  child.stdin.end(JSON.stringify({ rootDir, stateDir, sandbox, containers }));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGKILL');
  await once(child, 'exit');
  return JSON.parse(line.toString()) as Started;
}

function untilExists(path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  return new Promise((resolve) => {
    const watcher = watch(dirname(path), () => look());
    const look = (): void => {
      if (!existsSync(path)) return;
      watcher.close();
      resolve();
    };
    look();
  });
}

suite('an engine that dies', { skip }, () => {
  test('leaves its containers running; the next one takes them over and learns how others ended meanwhile', async () => {
    const fixture = await engineFixture();
    fixture.engine.close();
    try {
      const { sandboxId, ids } = await startAndKill(fixture, [
        ['sh', '-c', 'trap "exit 5" USR1; while :; do sleep 0.01; done'],
        ['sh', '-c', 'sleep 0.3; exit 42'],
      ]);
      const [survivor = '', ended = ''] = ids;
      await untilExists(join(fixture.options.stateDir, 'exits', ended));
      const next = await createEngine(fixture.options);
      const { exitCode, reason, state } = await next.runtime.containerStatus(ended);
      assert.deepEqual(
        { exitCode, reason, state },
        { exitCode: 42, reason: 'Error', state: 'CONTAINER_EXITED' },
      );
      assert.equal((await next.runtime.containerStatus(survivor)).state, 'CONTAINER_RUNNING');
      assert.equal((await next.runtime.podSandboxStatus(sandboxId)).state, 'SANDBOX_READY');
      const { stdout } = await next.runtime.execSync(survivor, ['echo', 'alive'], 10);
      assert.equal(stdout.toString(), 'alive\n');
      const end = untilEnded(next, survivor);
      await next.runtime.execSync(survivor, ['kill', '-USR1', '1'], 10);
      assert.equal(await end, 5);
      next.close();
    } finally {
      await fixture.dispose();
    }
  });

  test('is cleaned up after by the next one: no process, mount, namespace or control group is left', async () => {
    const fixture = await engineFixture();
    fixture.engine.close();
    const { ids } = await startAndKill(fixture, [
      ['sleep', '98765'],
      ['sh', '-c', 'sleep 98765 & wait'],
    ]);
    const pids = ids.map((id) =>
      readFileSync(join(fixture.options.stateDir, 'containers', id, 'pid'), 'utf8').trim(),
    );
    for (const pid of pids) assert.ok(existsSync(`/proc/${pid}`));
    const next = await createEngine(fixture.options);
    await next.cleanup();
    for (const pid of pids) assert.ok(!existsSync(`/proc/${pid}`));
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    for (const folder of [fixture.options.stateDir, fixture.options.rootDir]) {
      assert.ok(!existsSync(folder));
      assert.ok(!mounts.includes(folder));
    }
    for (const hierarchy of ['memory', 'cpu', 'pids', 'systemd', 'unified', '']) {
      assert.ok(!existsSync(join('/sys/fs/cgroup', hierarchy, fixture.cgroupParent)), hierarchy);
    }
    await fixture.dispose();
  });

  test('on a machine that was restarted finds its containers ended and its sandboxes not ready', async () => {
    const fixture = await engineFixture();
    try {
      await fixture.engine.makeBaseImage();
      const { containerId, sandboxId } = await fixture.run('before', ['sleep', '1000']);
      // What a restart does: processes and everything on tmpfs are gone, the disk stays.
      fixture.engine.close();
      const records = readFileSync(
        join(fixture.options.rootDir, 'containers', `${containerId}.json`),
        'utf8',
      );
      const { pid } = JSON.parse(records) as { readonly pid: number };
      const exit = untilExists(join(fixture.options.stateDir, 'exits', containerId));
      process.kill(pid, 'SIGKILL');
      await exit;
      rmSync(join(fixture.options.stateDir, 'exits', containerId));
      unmountBelow(fixture.options.stateDir);
      rmSync(join(fixture.options.stateDir, 'netns'), { recursive: true, force: true });
      const next = await createEngine(fixture.options);
      const { state, exitCode, reason } = await next.runtime.containerStatus(containerId);
      assert.deepEqual(
        { state, exitCode, reason },
        { state: 'CONTAINER_EXITED', exitCode: 255, reason: 'Unknown' },
      );
      assert.equal((await next.runtime.podSandboxStatus(sandboxId)).state, 'SANDBOX_NOTREADY');
      await next.runtime.removePodSandbox(sandboxId);
      assert.deepEqual(await next.runtime.listContainers(), []);
      next.close();
    } finally {
      await fixture.dispose();
    }
  });
});

test('a container whose monitor was killed is not taken for running for ever', { skip }, async () => {
  // Waits of seconds are over at once.
  const hasty: Clock = {
    ...systemClock,
    setTimer: (ms, callback) => systemClock.setTimer(Math.min(ms, 5), callback),
  };
  const fixture = await engineFixture({ clock: hasty });
  try {
    await fixture.engine.makeBaseImage();
    const { containerId } = await fixture.run('orphan', ['sleep', '1000']);
    const bundle = join(fixture.options.stateDir, 'containers', containerId);
    for (const file of ['conmon.pid', 'pid'])
      process.kill(Number(readFileSync(join(bundle, file), 'utf8')), 'SIGKILL');
    let exitCode: number | undefined;
    const ended = fixture.ended(containerId).then((code) => (exitCode = code));
    while (exitCode === undefined)
      await Promise.race([fixture.engine.runtime.listContainers(), ended]).then(immediate);
    const { reason } = await fixture.engine.runtime.containerStatus(containerId);
    assert.deepEqual([exitCode, reason], [255, 'Unknown']);
  } finally {
    await fixture.dispose();
  }
});

test('without the rights an engine says what is missing', {
  skip: skip === false ? 'everything is here' : false,
}, () => {
  assert.match(String(skip), /needs|not installed/);
});
