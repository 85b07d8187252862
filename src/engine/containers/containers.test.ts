import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { PassThrough } from 'node:stream';
import { RuntimeError } from '#cri';
import type { Mount } from '#cri';
import { engineFixture, whyNoContainers } from '../engine.fixture.ts';
import type { ContainerOverrides, Fixture } from '../engine.fixture.ts';

const skip = whyNoContainers() ?? false;

suite('containers', { skip }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await engineFixture();
    await fixture.engine.makeBaseImage();
  });
  after(() => fixture.dispose());

  /** Runs a shell script to its end; its exit code and output. */
  async function script(
    name: string,
    lines: string,
    overrides: ContainerOverrides = {},
  ): Promise<{ code: number; output: string }> {
    const running = await fixture.run(name, ['sh', '-c', lines], overrides);
    const code = await fixture.ended(running.containerId);
    const output = fixture.log(running);
    await fixture.engine.runtime.removePodSandbox(running.sandboxId);
    return { code, output };
  }

  test('the log has a line of the CRI format for every line of either stream', async () => {
    const running = await fixture.run('log', ['sh', '-c', 'echo one; echo two >&2; printf three']);
    await fixture.ended(running.containerId);
    const lines = readFileSync(join(running.sandbox.logDirectory, running.config.logPath), 'utf8')
      .trimEnd()
      .split('\n');
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d)`;
    const wanted = ['stdout F one', 'stderr F two', 'stdout P three'];
    for (const end of wanted)
      assert.ok(
        lines.some((line) => new RegExp(`^${time} ${end}$`).test(line)),
        `${end} in ${lines.join('|')}`,
      );
  });

  test('the command, arguments, folder and environment are the ones asked for', async () => {
    const running = await fixture.run(
      'args',
      ['sh', '-c', 'echo $0 $1; pwd; echo $GREETING $HOSTNAME $HOME'],
      {
        args: ['zero', 'one'],
        workingDir: '/var/work',
        env: [{ key: 'GREETING', value: 'a=b c' }],
      },
    );
    assert.equal(await fixture.ended(running.containerId), 0);
    assert.equal(fixture.log(running), 'zero one\n/var/work\na=b c args /root\n');
  });

  test('a program that is not there fails the start and leaves the reason in the status', async () => {
    const sandbox = fixture.sandboxConfig('nothing');
    const sandboxId = await fixture.engine.runtime.runPodSandbox(sandbox, '');
    const config = fixture.containerConfig('main', ['no-such-program']);
    const id = await fixture.engine.runtime.createContainer(sandboxId, config, sandbox);
    const message =
      'failed to create task for container: OCI runtime create failed: runc create failed: unable to start container ' +
      'process: exec: "no-such-program": executable file not found in $PATH: unknown';
    await assert.rejects(fixture.engine.runtime.startContainer(id), new RuntimeError('UNKNOWN', message));
    const { state, reason, exitCode, message: told } = await fixture.engine.runtime.containerStatus(id);
    assert.deepEqual(
      { state, reason, exitCode, told },
      { state: 'CONTAINER_EXITED', reason: 'StartError', exitCode: 128, told: message },
    );
  });

  test('names of users come from the image, groups are added', async () => {
    const asNobody = { security: { runAsUsername: 'nobody', supplementalGroups: [4242] } };
    const { output } = await script('user', 'id -u; id -g; id -G', asNobody);
    assert.equal(output, '65534\n65534\n65534 4242\n');
    const numeric = await script('uid', 'id -u; id -g', { security: { runAsUser: 1234, runAsGroup: 99 } });
    assert.equal(numeric.output, '1234\n99\n');
  });

  test('a user the image does not know is refused', async () => {
    await assert.rejects(
      script('stranger', 'id', { security: { runAsUsername: 'stranger' } }),
      /user "stranger" is not in the image's \/etc\/passwd/,
    );
  });

  test('capabilities are the default ones with what was added and dropped', async () => {
    const show = 'grep CapBnd /proc/self/status | cut -f2';
    const bits = async (capabilities: { add: string[]; drop: string[] }): Promise<bigint> =>
      BigInt(`0x${(await script('caps', show, { security: { capabilities } })).output.trim()}`);
    assert.equal(await bits({ add: [], drop: [] }), 0xa80425fbn);
    assert.equal(await bits({ add: ['NET_ADMIN'], drop: ['ALL'] }), 1n << 12n);
    assert.equal(await bits({ add: [], drop: ['CHOWN'] }), 0xa80425fan);
  });

  test('the default seccomp profile refuses a new namespace to root, unconfined does not', async () => {
    const capabilities = { add: ['SYS_ADMIN'], drop: [] };
    const attempt = 'unshare -u true && echo made';
    assert.equal((await script('plain', 'unshare -U true 2>&1')).code === 0, false);
    const unconfined = { seccomp: { type: 'Unconfined' as const }, capabilities };
    assert.equal((await script('free', attempt, { security: unconfined })).output, 'made\n');
    assert.match((await script('state', 'grep Seccomp: /proc/self/status')).output, /Seccomp:\s+2/);
  });

  test('no_new_privs is set only when asked for', async () => {
    const show = 'grep NoNewPrivs /proc/self/status | cut -f2';
    assert.equal((await script('nnp', show, { security: { noNewPrivs: true } })).output, '1\n');
    assert.equal((await script('np', show)).output, '0\n');
  });

  test('a read-only root filesystem cannot be written, its volumes can', async () => {
    const hostPath = join(fixture.logs, 'volume');
    mkdirSync(hostPath, { recursive: true });
    const mounts: Mount[] = [{ containerPath: '/data', hostPath, readonly: false, propagation: 'PRIVATE' }];
    const { output } = await script('readonly', 'touch /x 2>&1; touch /data/x && echo written', {
      mounts,
      security: { readonlyRootfs: true },
    });
    assert.equal(output, 'touch: /x: Read-only file system\nwritten\n');
    assert.ok(existsSync(join(hostPath, 'x')));
  });

  test('masked and read-only paths of /proc are so', async () => {
    const { output } = await script(
      'masked',
      'wc -c < /proc/keys; echo 1 2>&1 > /proc/sys/kernel/domainname || echo refused',
    );
    assert.match(output, /^0\n/);
    assert.match(output, /refused\n$/);
  });

  test('what a container writes is its own and gone with it', async () => {
    const first = await script('writer', 'echo mine > /etc/mine; cat /etc/mine');
    assert.equal(first.output, 'mine\n');
    assert.equal((await script('reader', 'cat /etc/mine 2>&1')).code, 1);
  });

  test('the kernel ending a container for want of memory is told as OOMKilled', async () => {
    const running = await fixture.run('hungry', ['sh', '-c', 'tail /dev/zero'], {
      resources: { memoryLimitBytes: 16 * 1024 * 1024 },
    });
    assert.equal(await fixture.ended(running.containerId), 137);
    assert.equal((await fixture.engine.runtime.containerStatus(running.containerId)).reason, 'OOMKilled');
  });

  test('the stop signal reaches the first process, which may end by itself', async () => {
    const running = await fixture.run(
      'polite',
      ['sh', '-c', 'trap "echo bye; exit 7" USR1; echo ready; while :; do sleep 1; done'],
      {
        stopSignal: 'SIGUSR1',
      },
    );
    const attached = new PassThrough();
    const ready = fixture.engine.runtime.exec(
      running.containerId,
      ['sh', '-c', 'until grep -q "^SigCgt:.*[2367abef]..$" /proc/1/status; do :; done; echo go'],
      {
        stdout: attached,
        tty: false,
      },
    );
    assert.equal(await ready, 0);
    await fixture.engine.runtime.stopContainer(running.containerId, 30);
    assert.equal((await fixture.engine.runtime.containerStatus(running.containerId)).exitCode, 7);
    assert.equal(fixture.log(running), 'ready\nbye\n');
  });

  test('limits can be set before the start and changed after it', async () => {
    const running = await fixture.run('limits', ['sleep', '1000'], {
      resources: { memoryLimitBytes: 64 << 20, cpuShares: 256, pidsLimit: 50 },
    });
    const { containerId, sandbox } = running;
    const read = (file: string): string =>
      readFileSync(
        `/sys/fs/cgroup/${file.replace('@', `${sandbox.linux.cgroupParent}/${containerId}`)}`,
        'utf8',
      ).trim();
    const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
    const limit = (): string => read(unified ? '/@/memory.max' : 'memory/@/memory.limit_in_bytes');
    assert.equal(limit(), String(64 << 20));
    assert.equal(read(unified ? '/@/pids.max' : 'pids/@/pids.max'), '50');
    await fixture.engine.runtime.updateContainerResources(containerId, { memoryLimitBytes: 96 << 20 });
    assert.equal(limit(), String(96 << 20));
    const { resources } = await fixture.engine.runtime.containerStatus(containerId);
    assert.deepEqual(resources, { memoryLimitBytes: 96 << 20, cpuShares: 256, pidsLimit: 50 });
  });

  test('stats count processor time, memory and what was written', async () => {
    const running = await fixture.run('stats', [
      'sh',
      '-c',
      'dd if=/dev/zero of=/big bs=1M count=3 2>/dev/null; echo done; sleep 1000',
    ]);
    await fixture.engine.runtime.execSync(
      running.containerId,
      ['sh', '-c', 'until grep -q sleep /proc/1/task/1/children /proc/[0-9]*/comm; do :; done'],
      10,
    );
    const [stats] = (await fixture.engine.runtime.listContainerStats()).filter(
      ({ id }) => id === running.containerId,
    );
    assert.ok(stats !== undefined && stats.cpuUsageNanos > 0n && stats.memoryUsageBytes > 0);
    assert.ok(stats.writableLayerBytes >= 3 << 20, String(stats.writableLayerBytes));
    assert.equal(stats.podSandboxId, running.sandboxId);
  });

  test('privileged sees the devices of the machine and may write to /sys', async () => {
    const { output } = await script('privileged', 'test -w /sys/kernel && ls /dev | wc -l', {
      security: { privileged: true },
    });
    assert.ok(Number(output) > 20, output);
  });

  test('a device asked for is there and no other', async () => {
    const devices = [{ containerPath: '/dev/mine', hostPath: '/dev/zero', permissions: 'r' }];
    const { output } = await script('device', 'head -c 3 /dev/mine | wc -c; ls /dev/mem 2>&1', { devices });
    assert.equal(output, '3\nls: /dev/mem: No such file or directory\n');
  });

  test('an image can be mounted as a volume, read-only and from a folder inside', async () => {
    const mounts: Mount[] = [
      {
        containerPath: '/image',
        hostPath: '',
        image: 'k8ts.local/base:latest',
        readonly: true,
        propagation: 'PRIVATE',
        imageSubPath: 'etc',
      },
    ];
    const { output } = await script('volume', 'head -n1 /image/passwd; touch /image/x 2>&1', { mounts });
    assert.equal(output, 'root:x:0:0:root:/root:/bin/sh\ntouch: /image/x: Read-only file system\n');
  });

  test('a removed container leaves no mount, file or control group', async () => {
    const running = await fixture.run('traces', ['sleep', '1000']);
    const { containerId, sandboxId } = running;
    await fixture.engine.runtime.removePodSandbox(sandboxId);
    for (const id of [containerId, sandboxId]) {
      assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(id), 'no mount');
      for (const folder of ['containers', 'sandboxes', 'netns', 'exits', 'runc'])
        assert.ok(!existsSync(join(fixture.options.stateDir, folder, id)), folder);
      for (const folder of ['containers', 'sandboxes'])
        assert.ok(!existsSync(join(fixture.options.rootDir, folder, `${id}.json`)), folder);
    }
    assert.ok(!existsSync(join(fixture.options.rootDir, 'writable', containerId)));
    assert.ok(!existsSync(`/sys/fs/cgroup/memory${fixture.cgroupParent}/${containerId}`));
  });

  test('a hostPath that is not there becomes a folder, a file is mounted as a file', async () => {
    const file = join(fixture.logs, 'file.txt');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, 'content\n');
    const missing = join(fixture.logs, 'missing');
    rmSync(missing, { recursive: true, force: true });
    const mounts: Mount[] = [
      { containerPath: '/missing', hostPath: missing, readonly: false, propagation: 'PRIVATE' },
      { containerPath: '/etc/file.txt', hostPath: file, readonly: true, propagation: 'HOST_TO_CONTAINER' },
    ];
    assert.equal(
      (await script('paths', 'cat /etc/file.txt; test -d /missing && echo folder', { mounts })).output,
      'content\nfolder\n',
    );
  });
});
