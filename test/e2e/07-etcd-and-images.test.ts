/** A whole cluster on a real etcd, and the image commands against a registry. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createEngine, type Engine } from '#engine';
import { readProcessRecords } from '#launcher';
import { silentLogger } from '#platform';
import { systemClock, systemRandom } from '#platform/node';
import { EtcdCluster, findEtcd } from '../../src/store/etcd/fixtures/etcd-server.ts';
import { whyNoContainers } from '../tools/containers.ts';
import { eventually } from '../tools/eventually.ts';
import { TestCluster } from '../tools/test-cluster.ts';

const etcdProgram = findEtcd();

describe('on etcd', { skip: etcdProgram === undefined ? 'etcd is not installed' : false }, () => {
  const cluster = new TestCluster('e2e-etcd');
  let etcd: EtcdCluster;

  before(async () => {
    etcd = await EtcdCluster.start(etcdProgram ?? '');
    const store = ['--store', 'etcd', '--etcd-endpoints', etcd.endpoints.join(',')];
    await cluster.up(['--simulate', '--nodes', '2', ...store]);
  });
  after(async () => {
    await cluster.clear();
    await etcd.destroy();
  });

  it('runs a deployment, and has it all after kill -9 of the server', async () => {
    await cluster.mustKubectl(['create', 'deployment', 'web', '--image=web', '--replicas=3']);
    await cluster.mustKubectl(['wait', '--for=condition=Available', 'deployment/web', '--timeout=60s']);
    const names = ['get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.uid}'];
    const uids = await cluster.mustKubectl(names);
    const folder = join(cluster.env['K8TS_RUN_DIR'] ?? '', cluster.name);
    const server = readProcessRecords(folder).find(({ role }) => role === 'server');
    assert.ok(server !== undefined, 'the server runs');
    process.kill(server.pid, 'SIGKILL');
    await cluster.mustK8ts(['up']);
    assert.equal(await cluster.mustKubectl(names), uids);
    await cluster.mustKubectl(['scale', 'deployment/web', '--replicas=5']);
    await eventually('the new pods run', async () => {
      const ready = ['get', 'deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}'];
      assert.equal(await cluster.mustKubectl(ready), '5');
    });
  });

  it('goes on when etcd was away for a moment', async () => {
    const [member] = etcd.members;
    await member?.kill();
    const refused = await cluster.kubectl(['create', 'configmap', 'lost', '--request-timeout=2s']);
    assert.notEqual(refused.code, 0, 'nothing is acknowledged while there is no store');
    await member?.start();
    await eventually('writes are taken again', () => cluster.mustKubectl(['create', 'configmap', 'kept']));
    await cluster.mustKubectl(['rollout', 'restart', 'deployment/web']);
    await cluster.mustKubectl(['rollout', 'status', 'deployment/web', '--timeout=60s']);
  });
});

describe('image commands', { skip: whyNoContainers() ?? false }, () => {
  const cluster = new TestCluster('e2e-image');
  const elsewhere = mkdtempSync(join(tmpdir(), 'k8ts-e2e-registry-'));
  let source: Engine;
  let registry: Awaited<ReturnType<Engine['serveRegistry']>>;
  const image = (): string => `127.0.0.1:${registry.address.port}/team/hello:v1`;

  before(async () => {
    source = await createEngine({
      rootDir: join(elsewhere, 'root'),
      stateDir: join(elsewhere, 'state'),
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    registry = await source.serveRegistry({ host: '127.0.0.1', port: 0 });
    const context = join(elsewhere, 'hello');
    mkdirSync(context);
    writeFileSync(join(context, 'greeting'), 'hello from a registry\n');
    writeFileSync(
      join(context, 'Dockerfile'),
      'FROM k8ts.local/base\nCOPY greeting /\nCMD ["cat", "/greeting"]\n',
    );
    await source.build({ context, tags: ['k8ts.local/hello'] });
    await source.push('k8ts.local/hello', { as: image() });
    await cluster.up();
  });
  after(async () => {
    await cluster.clear();
    await registry.close();
    await source.cleanup();
    rmSync(elsewhere, { recursive: true, force: true });
  });

  it('pulls an image by name, lists it, and runs it', async () => {
    const pulled = await cluster.mustK8ts(['pull', image()]);
    assert.match(pulled, /^sha256:[0-9a-f]{64}\n$/);
    const listed = JSON.parse(await cluster.mustK8ts(['images', '--json'])) as readonly {
      readonly id: string;
      readonly repoTags: readonly string[];
    }[];
    assert.equal(listed.find(({ repoTags }) => repoTags.includes(image()))?.id, pulled.trim());
    assert.match(await cluster.mustK8ts(['images']), /team\/hello:v1/);
    const run = ['run', 'hello', '--restart=Never', `--image=${image()}`, '--image-pull-policy=Never'];
    await cluster.mustKubectl(run);
    const succeeded = '--for=jsonpath={.status.phase}=Succeeded';
    await cluster.mustKubectl(['wait', succeeded, 'pod/hello', '--timeout=60s']);
    assert.equal(await cluster.mustKubectl(['logs', 'hello']), 'hello from a registry\n');
  });

  it('says which image is not there, and fails', async () => {
    const missing = image().replace('hello', 'nothing');
    const { code, stderr, stdout } = await cluster.k8ts(['pull', missing]);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.ok(stderr.includes(missing) && /not found/.test(stderr), stderr);
  });

  it('prints a kubeconfig that works, and the log of a process', async () => {
    const text = await cluster.mustK8ts(['kubeconfig']);
    const file = join(elsewhere, 'kubeconfig');
    writeFileSync(file, text);
    const version = await cluster.mustKubectl(['--kubeconfig', file, 'version', '-o', 'json']);
    assert.match(version, /"gitVersion": "v1\.36/);
    assert.match(await cluster.mustK8ts(['logs', 'agent']), /node agent runs/);
    assert.equal((await cluster.k8ts(['logs', 'nobody'])).code, 2);
  });
});
