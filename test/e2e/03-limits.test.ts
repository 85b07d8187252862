/** Containers are held to their limits by the kernel, and what it did is reported. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { containerIdOf, pidOf, podsOf, whyNoContainers } from '../tools/containers.ts';
import { eventually } from '../tools/eventually.ts';
import { TestCluster } from '../tools/test-cluster.ts';

const cluster = new TestCluster('e2e-limit');

const hog = (name: string, command: string, limits: string): string => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
    - name: hog
      image: k8ts.local/base
      command: [sh, -c, "${command}"]
      resources: {limits: {${limits}}}
`;

/** Processor time of a process and of its ended children, in seconds (a tick is 10 ms on every Linux). */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function containerPid(app: string): Promise<number> {
  const [pod] = await podsOf(cluster, `app=${app}`);
  assert.ok(pod !== undefined);
  return pidOf(cluster, containerIdOf(pod));
}

describe('limits', { skip: whyNoContainers() ?? false }, () => {
  before(() => cluster.up());
  after(() => cluster.clear());

  it('kills a container that takes more memory than its limit, and says OOMKilled', async () => {
    await cluster.mustKubectl(['apply', '-f', '-'], {
      input: hog('memory', 'exec tail /dev/zero', 'memory: 32Mi'),
    });
    const status = await eventually('the hog is dead', async () => {
      const [pod] = await podsOf(cluster, 'app=memory');
      assert.equal(pod?.status.phase, 'Failed');
      return pod.status.containerStatuses?.[0]?.state.terminated;
    });
    assert.equal(status?.reason, 'OOMKilled');
    assert.equal(status.exitCode, 137);
    assert.match(await cluster.mustKubectl(['get', 'pod', 'memory', '--no-headers']), /0\/1 +OOMKilled +0/);
  });

  it('lets the children of a shell die without the shell', async () => {
    await cluster.mustKubectl(['apply', '-f', '-'], {
      input: hog('child', 'tail /dev/zero; echo child ended with $?; exit 5', 'memory: 32Mi'),
    });
    const terminated = await eventually('it ended', async () => {
      const [pod] = await podsOf(cluster, 'app=child');
      assert.equal(pod?.status.phase, 'Failed');
      return pod.status.containerStatuses?.[0]?.state.terminated;
    });
    // cgroup v2 kills the whole container together; with v1 the kernel takes only the largest process.
    if (terminated?.exitCode === 5) {
      // The shell says the one on stderr and the other on stdout: two pipes, of which either may be read first.
      const lines = (await cluster.mustKubectl(['logs', 'child'])).split('\n');
      assert.deepEqual(lines.toSorted(), ['', 'Killed', 'child ended with 137']);
    } else {
      assert.equal(terminated?.exitCode, 137);
    }
  });

  it('holds a busy loop to its processor limit', async () => {
    await cluster.mustKubectl(['apply', '-f', '-'], {
      input: hog('cpu', 'while :; do :; done', 'cpu: 200m'),
    });
    await cluster.mustKubectl(['wait', '--for=condition=Ready', 'pod/cpu', '--timeout=30s']);
    const pid = await containerPid('cpu');
    const startedAt = performance.now();
    const before = cpuSeconds(pid);
    // A fifth of a core needs three seconds for this, a whole core 0.6.
    await eventually('it used 0.6 s of processor time', () => assert.ok(cpuSeconds(pid) - before >= 0.6));
    const share = (cpuSeconds(pid) - before) / ((performance.now() - startedAt) / 1000);
    assert.ok(share <= 0.3, `${share} of a core`);
  });

  it('gives a container without a limit what there is', async () => {
    await cluster.mustKubectl(['apply', '-f', '-'], {
      input: hog('free', 'while :; do :; done', 'memory: 64Mi'),
    });
    await cluster.mustKubectl(['wait', '--for=condition=Ready', 'pod/free', '--timeout=30s']);
    const pid = await containerPid('free');
    await eventually('it used more than a fifth of a core for a while', () => assert.ok(cpuSeconds(pid) > 1));
    await cluster.mustKubectl(['delete', 'pod', 'free', 'cpu', '--now']);
  });
});
