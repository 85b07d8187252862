/** Without the rights for real containers, the same control plane comes up with simulated nodes. */
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../tools/eventually.ts';
import { kubectlPath } from '../tools/kubectl.ts';
import { type CommandResult, runCommand, TestCluster } from '../tools/test-cluster.ts';

const cluster = new TestCluster('e2e-user');
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
/** As root, becomes nobody for each command; else runs as who one is. */
const asUser = isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : ['env'];

function runAsUser(program: string, args: readonly string[]): Promise<CommandResult> {
  const [become = 'env', ...rest] = asUser;
  return runCommand(become, [...rest, program, ...args], { env: { ...cluster.env, HOME: cluster.folder } });
}

const k8ts = (args: readonly string[]): Promise<CommandResult> =>
  runAsUser(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args]);

async function kubectl(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runAsUser(kubectlPath(), args);
  assert.equal(code, 0, `kubectl ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

describe('without root', {
  skip: process.platform === 'linux' ? false : 'root is missed only on Linux',
}, () => {
  let came: CommandResult;

  before(async () => {
    await cluster.clear();
    mkdirSync(cluster.folder, { recursive: true });
    if (isRoot) chownSync(cluster.folder, NOBODY, NOBODY);
    came = await k8ts(['up']);
  });
  after(() => cluster.clear());

  it('says what is missing and what to do, and comes up', () => {
    assert.equal(came.code, 0, came.stderr);
    assert.match(
      came.stderr,
      /^Real containers are not possible here; the same control plane runs with simulated nodes\. Missing:\n {2}- root: run it as root, for example with sudo\n/,
    );
    assert.match(came.stdout, /Cluster e2e-user is up: https:\/\/127\.0\.0\.1:\d+, 1 simulated node\./);
  });

  it('runs as that user alone', async () => {
    const { stdout } = await k8ts(['status', '--json']);
    const { processes, mode } = JSON.parse(stdout) as {
      readonly mode: string;
      readonly processes: readonly { readonly role: string; readonly pid: number }[];
    };
    assert.equal(mode, 'simulated');
    assert.deepEqual(
      processes.map(({ role }) => role),
      ['server'],
    );
    const { stdout: uid } = await runCommand('stat', ['-c', '%u', `/proc/${processes[0]?.pid ?? 0}`]);
    assert.equal(Number(uid), isRoot ? NOBODY : process.getuid?.());
  });

  it('schedules pods, which say they run', async () => {
    await kubectl(['create', 'deployment', 'web', '--image=anything', '--replicas=3']);
    await kubectl(['wait', '--for=condition=Available', 'deployment/web', '--timeout=30s']);
    const table = await kubectl(['get', 'pods', '--no-headers', '-o', 'wide']);
    const lines = table.trim().split('\n');
    assert.equal(lines.length, 3);
    for (const line of lines) assert.match(line, /^web-\S+ +1\/1 +Running +0 .* e2e-user-1 /);
  });

  it('replaces pods and follows endpoints as with real ones', async () => {
    await kubectl(['expose', 'deployment', 'web', '--port=80']);
    const name = (await kubectl(['get', 'pods', '-o', 'jsonpath={.items[0].metadata.name}'])).trim();
    await kubectl(['delete', 'pod', name]);
    await kubectl(['wait', '--for=condition=Available', 'deployment/web', '--timeout=30s']);
    await eventually('endpoints are the pods', async () => {
      const pods = await kubectl(['get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].status.podIP}']);
      const path = 'jsonpath={.items[*].endpoints[*].addresses[0]}';
      const endpoints = await kubectl([
        'get',
        'endpointslices',
        '-l',
        'kubernetes.io/service-name=web',
        '-o',
        path,
      ]);
      assert.equal(pods.split(' ').length, 3);
      assert.deepEqual(endpoints.split(' ').toSorted(), pods.split(' ').toSorted());
    });
  });

  it('says so when it is asked for what only real nodes can do', async () => {
    const { code, stderr } = await k8ts(['images']);
    assert.notEqual(code, 0);
    assert.equal(stderr, 'k8ts: cluster e2e-user has simulated nodes: they have no images\n');
  });

  it('goes down and leaves nothing', async () => {
    assert.equal((await k8ts(['down', '--purge'])).code, 0);
    for (const folder of ['data', 'run']) assert.deepEqual(readdirSync(join(cluster.folder, folder)), []);
    assert.doesNotMatch(readFileSync(cluster.kubeconfig, 'utf8'), /e2e-user/);
    const { stdout } = await runCommand('ps', ['-eo', 'args']);
    assert.ok(!stdout.includes(cluster.folder), stdout);
  });
});
