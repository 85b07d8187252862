import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { RuntimeError } from '#cri';
import type { SandboxNetwork } from '#cri';
import { engineFixture, whyNoContainers } from '../engine.fixture.ts';
import type { Fixture } from '../engine.fixture.ts';

const skip = whyNoContainers() ?? false;

class RecordingNetwork implements SandboxNetwork {
  readonly calls: string[] = [];
  failure: Error | undefined;

  attach({ id, networkNamespace }: Parameters<SandboxNetwork['attach']>[0]): Promise<readonly string[]> {
    this.calls.push(`attach ${id} ${existsSync(networkNamespace)}`);
    return this.failure === undefined ? Promise.resolve(['10.1.2.3']) : Promise.reject(this.failure);
  }

  detach({ id }: Parameters<SandboxNetwork['detach']>[0]): Promise<void> {
    this.calls.push(`detach ${id}`);
    return Promise.resolve();
  }
}

suite('sandboxes', { skip }, () => {
  const network = new RecordingNetwork();
  let fixture: Fixture;
  before(async () => {
    fixture = await engineFixture({ network });
    await fixture.engine.makeBaseImage();
  });
  after(() => fixture.dispose());

  const runtime = (): Fixture['engine']['runtime'] => fixture.engine.runtime;
  const mounts = (): string => readFileSync('/proc/self/mountinfo', 'utf8');

  test('a sandbox has namespaces of its own, a host name, a resolver and an address from the network', async () => {
    const config = fixture.sandboxConfig('web');
    const id = await runtime().runPodSandbox(config, '');
    const { ips, networkNamespace = '' } = await runtime().podSandboxStatus(id);
    assert.deepEqual(ips, ['10.1.2.3']);
    assert.equal(network.calls.at(-1), `attach ${id} true`);
    const inside = execFileSync('nsenter', [`--net=${networkNamespace}`, 'ip', '-br', 'link'], {
      encoding: 'utf8',
    });
    assert.match(inside, /^lo +UNKNOWN .*LOOPBACK,UP/);
    const containerId = await runtime().createContainer(
      id,
      fixture.containerConfig('main', ['sh', '-c', 'hostname; cat /etc/hostname /etc/resolv.conf']),
      config,
    );
    await runtime().startContainer(containerId);
    await fixture.ended(containerId);
    assert.equal(
      fixture.log({
        sandboxId: id,
        containerId,
        sandbox: config,
        config: fixture.containerConfig('main', []),
      }),
      'web\nweb\nsearch default.svc.cluster.local\nnameserver 10.0.0.10\noptions ndots:5\n',
    );
    await runtime().removePodSandbox(id);
    assert.equal(network.calls.at(-1), `detach ${id}`);
    assert.ok(!mounts().includes(id));
  });

  test('a sandbox whose network fails is not there, and neither is anything of it', async () => {
    network.failure = new Error('no address left');
    const expected = new RuntimeError('UNKNOWN', 'failed to create pod sandbox: no address left');
    await assert.rejects(runtime().runPodSandbox(fixture.sandboxConfig('lost'), ''), expected);
    network.failure = undefined;
    assert.deepEqual(await runtime().listPodSandboxes(), []);
    assert.deepEqual(readdirSync(join(fixture.options.stateDir, 'netns')), []);
    assert.ok(!mounts().includes(`${fixture.options.stateDir}/`));
  });

  test('sysctls hold inside and not outside', async () => {
    const read = (): string => readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8');
    const outside = read();
    const plain = fixture.sandboxConfig('sysctl');
    const sysctls = { 'net.ipv4.ip_unprivileged_port_start': '7', 'kernel.shm_rmid_forced': '1' };
    const config = { ...plain, linux: { ...plain.linux, sysctls } };
    const id = await runtime().runPodSandbox(config, '');
    const { networkNamespace = '' } = await runtime().podSandboxStatus(id);
    const inside = execFileSync('nsenter', [
      `--net=${networkNamespace}`,
      'cat',
      '/proc/sys/net/ipv4/ip_unprivileged_port_start',
    ]);
    assert.equal(inside.toString(), '7\n');
    assert.equal(read(), outside);
    await runtime().removePodSandbox(id);
  });

  test('containers share memory, host name and network, but not processes', async () => {
    const running = await fixture.run('shared', ['sh', '-c', 'echo there > /dev/shm/x; sleep 1000']);
    const second = fixture.containerConfig('second', [
      'sh',
      '-c',
      'until cat /dev/shm/x 2>/dev/null; do :; done; ps | wc -l',
    ]);
    const id = await runtime().createContainer(running.sandboxId, second, running.sandbox);
    await runtime().startContainer(id);
    assert.equal(await fixture.ended(id), 0);
    const output = fixture.log({ ...running, containerId: id, config: second });
    assert.match(output, /^there\n[34]\n$/);
    await runtime().removePodSandbox(running.sandboxId);
  });

  test('a shared process namespace outlives each container, and orphans in it are buried', async () => {
    const security = { namespaces: { network: 'POD', pid: 'POD', ipc: 'POD' } as const };
    const running = await fixture.run('pids', ['sh', '-c', 'sleep 1000'], { security });
    const script = 'until ps | grep -q "[s]leep 1000"; do :; done; (sleep 0.1 &) ; ps | grep -c "[/]pause"';
    const second = fixture.containerConfig('second', ['sh', '-c', script], { security });
    const id = await runtime().createContainer(running.sandboxId, second, running.sandbox);
    await runtime().startContainer(id);
    assert.equal(await fixture.ended(id), 0);
    assert.equal(fixture.log({ ...running, containerId: id, config: second }), '1\n');
    await runtime().stopContainer(running.containerId, 0);
    assert.equal((await runtime().podSandboxStatus(running.sandboxId)).state, 'SANDBOX_READY');
    const third = await runtime().createContainer(
      running.sandboxId,
      fixture.containerConfig(
        'third',
        ['sh', '-c', 'grep -l "^State:.Z" /proc/[0-9]*/status | wc -l; ps | grep -c "[s]leep"'],
        { security },
      ),
      running.sandbox,
    );
    await runtime().startContainer(third);
    await fixture.ended(third);
    assert.equal(
      fixture.log({ ...running, containerId: third, config: { ...second, logPath: 'third/0.log' } }),
      '0\n0\n',
    );
    await runtime().removePodSandbox(running.sandboxId);
    assert.ok(!existsSync(join(fixture.options.stateDir, 'runc', `pause-${running.sandboxId}`)));
  });

  test('a debugging container sees the processes of its target', async () => {
    const running = await fixture.run('target', ['sleep', '1234']);
    const namespaces = { network: 'POD', pid: 'TARGET', ipc: 'POD', targetId: running.containerId } as const;
    const config = fixture.containerConfig('debug', ['sh', '-c', 'ps | grep -c "[s]leep 1234"'], {
      security: { namespaces },
    });
    const id = await runtime().createContainer(running.sandboxId, config, running.sandbox);
    await runtime().startContainer(id);
    await fixture.ended(id);
    assert.equal(fixture.log({ ...running, containerId: id, config }), '1\n');
    await runtime().removePodSandbox(running.sandboxId);
  });

  test('with the host network a pod has the name and interfaces of the machine and no address of its own', async () => {
    const calls = network.calls.length;
    const security = { namespaces: { network: 'NODE', pid: 'NODE', ipc: 'NODE' } as const };
    const running = await fixture.run(
      'host',
      ['sh', '-c', 'hostname; for n in net pid ipc; do readlink /proc/self/ns/$n; done'],
      { security },
    );
    await fixture.ended(running.containerId);
    const links = execFileSync('readlink', ['/proc/self/ns/net', '/proc/self/ns/pid', '/proc/self/ns/ipc'], {
      encoding: 'utf8',
    });
    assert.equal(fixture.log(running), `${hostname()}\n${links}`);
    const status = await runtime().podSandboxStatus(running.sandboxId);
    assert.deepEqual([status.ips, status.networkNamespace], [[], undefined]);
    await runtime().removePodSandbox(running.sandboxId);
    assert.equal(network.calls.length, calls);
  });

  test('portForward connects to the loopback inside, by IPv4 or IPv6, and says when nobody listens', async () => {
    const running = await fixture.run('ports', [
      'sh',
      '-c',
      'nc -l -p 7001 -e echo four & httpd -f -p [::1]:7002 -h /etc & wait',
    ]);
    const listening =
      'until grep -q :1B59 /proc/net/tcp /proc/net/tcp6 && grep -q :1B5A /proc/net/tcp6; do :; done';
    await runtime().execSync(running.containerId, ['sh', '-c', listening], 10);
    assert.equal(await text(await runtime().portForward(running.sandboxId, 7001)), 'four\n');
    const six = await runtime().portForward(running.sandboxId, 7002);
    six.end('GET /passwd HTTP/1.0\r\n\r\n');
    assert.match(await text(six), /^HTTP\/1.1 200 OK[^]*root:x:0:0/);
    await assert.rejects(
      runtime().portForward(running.sandboxId, 7003),
      new RuntimeError(
        'UNAVAILABLE',
        'failed to connect to localhost:7003 inside namespace: connect ECONNREFUSED 127.0.0.1:7003',
      ),
    );
    await runtime().removePodSandbox(running.sandboxId);
  });
});
