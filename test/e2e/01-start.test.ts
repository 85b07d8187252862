/** `npm start`: the sample application from nothing, everyday kubectl on it, and nothing left behind. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readProcessRecords } from '../../src/launcher/process-record.ts';
import { podsOf, whyNoContainers } from '../tools/containers.ts';
import { eventually } from '../tools/eventually.ts';
import { hostTraces, interfacesOf } from '../tools/host-traces.ts';
import { kubectlPath } from '../tools/kubectl.ts';
import { runCommand, TestCluster } from '../tools/test-cluster.ts';

const cluster = new TestCluster('e2e-start');
const root = fileURLToPath(new URL('../..', import.meta.url));
const shop = join(root, 'examples/shop');
const manifest = join(shop, 'shop.yaml');

interface Started {
  readonly url: string;
}

const start = async (): Promise<Started> =>
  JSON.parse(await cluster.mustK8ts(['start', '--json'], { timeoutMs: 240_000 })) as Started;

async function page(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(5000) });
  assert.equal(response.status, 200);
  return response.text();
}

/** Starts a command that goes on until it is told to stop, and waits until it printed what is looked for. */
async function running(
  args: readonly string[],
  pattern: RegExp,
  use: (match: RegExpMatchArray) => Promise<void>,
): Promise<void> {
  const child: ChildProcess = spawn(kubectlPath(), args, {
    env: { ...process.env, ...cluster.env },
    stdio: 'pipe',
  });
  let printed = '';
  child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  try {
    const match = await eventually(`${args.join(' ')} prints ${pattern}`, () => {
      const found = pattern.exec(printed);
      assert.ok(found !== null, printed);
      return found;
    });
    await use(match);
  } finally {
    child.kill('SIGKILL');
  }
}

async function versions(): Promise<string> {
  const kinds = 'deployments,replicasets,services,configmaps,secrets,pods';
  const path = 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}';
  return cluster.mustKubectl(['get', kinds, '-o', path]);
}

async function readyEndpoints(service: string): Promise<number> {
  const path = 'jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses[0]}';
  const text = await cluster.mustKubectl([
    ...['get', 'endpointslices', '-l', `kubernetes.io/service-name=${service}`, '-o', path],
  ]);
  return text.split(' ').filter((address) => address !== '').length;
}

describe('npm start', { skip: whyNoContainers() ?? false }, () => {
  let url = '';

  before(async () => {
    await cluster.clear();
    ({ url } = await start());
  });
  after(() => cluster.clear());

  it('serves the sample application on loopback, with prices from all three services', async () => {
    assert.equal(url, 'http://127.0.0.1:30080/');
    const html = await page(url);
    assert.match(html, /<h1>The k8ts shop<\/h1>/);
    for (const item of ['tea', 'coffee', 'cake'])
      assert.match(html, new RegExp(`<li>${item}: \\d+\\.\\d\\d EUR</li>`));
    const pods = (await podsOf(cluster, 'app.kubernetes.io/part-of=shop')).map(
      ({ metadata }) => metadata.name,
    );
    const match = /front v1 (\S+), catalog (\S+), pricing (\S+?)</.exec(html);
    assert.ok(match !== null, html);
    for (const name of match.slice(1)) assert.ok(pods.includes(name), `${name} is none of ${pods.join(' ')}`);
  });

  it('changes nothing when it is started again', async () => {
    const before = await versions();
    await start();
    assert.equal(await versions(), before);
  });

  it('gets and describes', async () => {
    const wide = await cluster.mustKubectl(['get', 'pods', '-o', 'wide']);
    assert.match(wide, /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\n/);
    assert.match(wide, /catalog-\S+ +1\/1 +Running +0 +\S+ +10\.\d+\.\d+\.\d+ +e2e-start +<none> +<none>\n/);
    const yaml = await cluster.mustKubectl(['get', 'deployment', 'front', '-o', 'yaml']);
    assert.match(yaml, /^apiVersion: apps\/v1\nkind: Deployment\n/);
    const json = JSON.parse(await cluster.mustKubectl(['get', 'service', 'front', '-o', 'json'])) as {
      kind: string;
    };
    assert.equal(json.kind, 'Service');
    const images = await cluster.mustKubectl([
      'get',
      'deployments',
      '-o',
      'jsonpath={.items[*].spec.template.spec.containers[*].image}',
    ]);
    assert.equal(images, 'k8ts.local/shop-catalog:1 k8ts.local/shop-front:1 k8ts.local/shop-pricing:1');
    const described = await cluster.mustKubectl(['describe', 'pod', '-l', 'app=pricing']);
    for (const part of [
      /Status: +Running/,
      /Liveness: +exec /,
      /QoS Class: +Burstable/,
      /Started +\S+ +kubelet/,
    ]) {
      assert.match(described, part);
    }
    assert.match(
      await cluster.mustKubectl(['describe', 'deployment', 'front']),
      /NewReplicaSet: +front-\S+ \(2\/2 replicas created\)/,
    );
    assert.match(
      await cluster.mustKubectl(['describe', 'node', 'e2e-start']),
      /Non-terminated Pods: +\(5 in total\)/,
    );
  });

  it('applies: nothing where nothing changed, and what changed', async () => {
    // The first time kubectl itself writes down what it applied.
    await cluster.mustKubectl(['apply', '-f', manifest]);
    const again = await cluster.mustKubectl(['apply', '-f', manifest]);
    // Secrets of text are sent every time: the server keeps no `stringData` to compare with.
    const expected = (line: string): RegExp => (line.startsWith('secret/') ? / configured$/ : / unchanged$/);
    for (const line of again.trim().split('\n')) assert.match(line, expected(line));
    const text = readFileSync(manifest, 'utf8').replace('currency: EUR', 'currency: CHF');
    const changed = await cluster.mustKubectl(['apply', '-f', '-'], { input: text });
    assert.match(changed, /^configmap\/shop-config configured\n/);
    assert.equal(changed.match(/ unchanged$/gm)?.length, again.trim().split('\n').length - 2);
    await cluster.mustKubectl(['rollout', 'restart', 'deployment/catalog']);
    await cluster.mustKubectl(['rollout', 'status', 'deployment/catalog', '--timeout=60s']);
    await eventually('prices are in francs', async () => assert.match(await page(url), / CHF</));
  });

  it('edits', async () => {
    const env = { KUBE_EDITOR: "sed -i 's/name: The k8ts shop/name: The edited shop/'" };
    assert.equal(
      await cluster.mustKubectl(['edit', 'configmap', 'shop-config'], { env }),
      'configmap/shop-config edited\n',
    );
    assert.equal(
      await cluster.mustKubectl(['get', 'configmap', 'shop-config', '-o', 'jsonpath={.data.name}']),
      'The edited shop',
    );
    const none = { KUBE_EDITOR: 'true' };
    assert.equal(
      (await cluster.kubectl(['edit', 'configmap', 'shop-config'], { env: none })).stderr,
      'Edit cancelled, no changes made.\n',
    );
  });

  it('scales to 20 and back, and endpoints follow', async () => {
    for (const replicas of [20, 2]) {
      assert.equal(
        await cluster.mustKubectl(['scale', 'deployment/catalog', `--replicas=${replicas}`]),
        'deployment.apps/catalog scaled\n',
      );
      await cluster.mustKubectl(['rollout', 'status', 'deployment/catalog', '--timeout=90s'], {
        timeoutMs: 100_000,
      });
      await eventually(`${replicas} endpoints`, async () =>
        assert.equal(await readyEndpoints('catalog'), replicas),
      );
      assert.equal(
        await cluster.mustKubectl(['get', 'deployment', 'catalog', '-o', 'jsonpath={.status.readyReplicas}']),
        String(replicas),
      );
      await page(url);
    }
  });

  it('rolls a new image out without one failed request, and back', async () => {
    const source = join(cluster.folder, 'front-2');
    cpSync(join(shop, 'front'), source, { recursive: true });
    const server = join(source, 'server.mjs');
    writeFileSync(server, readFileSync(server, 'utf8').replace("VERSION = '1'", "VERSION = '2'"));
    await cluster.mustK8ts(['build', '-t', 'k8ts.local/shop-front:2', source]);

    const roll = async (version: number, command: readonly string[]): Promise<void> => {
      let isRolling = true;
      const failures: string[] = [];
      let requests = 0;
      const asking = (async () => {
        while (isRolling) {
          requests++;
          await page(url).catch((error: Error) => failures.push(`${error.message}: ${String(error.cause)}`));
        }
      })();
      await cluster.mustKubectl(command);
      const said = await cluster.mustKubectl(['rollout', 'status', 'deployment/front', '--timeout=60s']);
      assert.match(said, /deployment "front" successfully rolled out\n$/);
      await eventually('only new pods answer', async () => {
        assert.equal((await podsOf(cluster, 'app=front')).length, 2);
        for (let i = 0; i < 6; i++) assert.match(await page(url), new RegExp(`front v${version} `));
      });
      isRolling = false;
      await asking;
      assert.deepEqual(failures, [], `of ${requests} requests`);
    };
    await roll(2, ['set', 'image', 'deployment/front', 'front=k8ts.local/shop-front:2']);
    await roll(1, ['rollout', 'undo', 'deployment/front']);
    assert.match(
      await cluster.mustKubectl(['rollout', 'history', 'deployment/front']),
      /REVISION +CHANGE-CAUSE\n2 +<none>\n3 +<none>\n/,
    );
  });

  it('follows logs', async () => {
    await running(['logs', '-f', '-l', 'app=front', '--prefix', '--tail=1'], /front/, async () => {});
    await running(['logs', '-f', 'deployment/catalog'], /catalog listens/, async () => {});
    const [pod] = await podsOf(cluster, 'app=front');
    const args = ['logs', '-f', pod?.metadata.name ?? '', '--since=1s'];
    const asking = setInterval(() => void page(url).catch(() => undefined), 200);
    try {
      await running(args, /GET \/ 200\n/, async () => {});
    } finally {
      clearInterval(asking);
    }
  });

  it('executes: with input, with an exit code, and on a terminal', async () => {
    assert.equal(
      await cluster.mustKubectl(
        [
          'exec',
          '-i',
          'deployment/catalog',
          '--',
          'python3',
          '-c',
          'import sys; print(len(sys.stdin.read()))',
        ],
        {
          input: 'x'.repeat(1_000_000),
        },
      ),
      '1000000\n',
    );
    const failed = await cluster.kubectl([
      'exec',
      'deployment/catalog',
      '--',
      'sh',
      '-c',
      'echo out; echo err >&2; exit 7',
    ]);
    assert.deepEqual(failed, {
      code: 7,
      stdout: 'out\n',
      stderr: 'err\ncommand terminated with exit code 7\n',
    });
    const command = `${kubectlPath()} exec -it deployment/catalog -- sh -c 'tty; exit 5'`;
    const terminal = await runCommand('script', ['-qec', command, '/dev/null'], { env: cluster.env });
    assert.match(terminal.stdout, /\/dev\/pts\/\d+\r\n/);
    assert.equal(terminal.code, 5);
  });

  it('forwards a port', async () => {
    const forwarding = /Forwarding from 127\.0\.0\.1:(\d+) -> 8080/;
    await running(['port-forward', 'service/front', ':80'], forwarding, async (match) => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => page(`http://127.0.0.1:${match[1]}/`)),
      );
      for (const answer of answers) assert.match(answer, /front v1/);
    });
  });

  it('explains, says what may be done, lists what there is', async () => {
    const explained = await cluster.mustKubectl(['explain', 'pod.spec.containers.livenessProbe']);
    assert.match(explained, /^KIND: +Pod\nVERSION: +v1\n\nFIELD: livenessProbe <Probe>\n\n\nDESCRIPTION:\n/);
    assert.match(explained, / {2}failureThreshold\t<integer>\n/);
    assert.equal(
      await cluster.mustKubectl(['auth', 'can-i', 'delete', 'nodes']),
      "Warning: resource 'nodes' is not namespace scoped\n\nyes\n".slice(-4),
    );
    const other = ['--as=system:serviceaccount:default:default'];
    const refused = await cluster.kubectl(['auth', 'can-i', 'list', 'secrets', ...other]);
    assert.deepEqual([refused.code, refused.stdout], [1, 'no\n']);
    const kinds = await cluster.mustKubectl(['api-resources']);
    for (const kind of ['pods ', 'deployments ', 'customresourcedefinitions ', 'events '])
      assert.match(kinds, new RegExp(`^${kind}`, 'm'));
    assert.match(await cluster.mustKubectl(['version']), /Server Version: v1\.36\.3/);
    assert.match(await cluster.mustKubectl(['cluster-info']), /Kubernetes control plane.* is running at /);
  });

  it('waits, and tells events', async () => {
    // A pod that goes while kubectl waits for it is an error to kubectl: those of the rollouts go first.
    await eventually('the pods of the rollouts are gone', async () => {
      const front = await cluster.mustKubectl(['get', 'pods', '-l', 'app=front', '-o', 'name']);
      assert.equal(front.trim().split('\n').length, 2, front);
      const catalog = await cluster.mustKubectl(['get', 'pods', '-l', 'app=catalog', '-o', 'name']);
      assert.equal(catalog.trim().split('\n').length, 2, catalog);
    });
    assert.match(
      await cluster.mustKubectl([
        'wait',
        '--for=condition=Ready',
        'pod',
        '-l',
        'app.kubernetes.io/part-of=shop',
        '--timeout=30s',
      ]),
      /pod\/front-\S+ condition met\n/,
    );
    const late = await cluster.kubectl(['wait', '--for=delete', 'deployment/front', '--timeout=1s']);
    assert.equal(late.code, 1);
    assert.match(late.stderr, /^error: timed out waiting for the condition on deployments\/front/);
    assert.match(
      await cluster.mustKubectl(['events', '--for', 'deployment/front']),
      /ScalingReplicaSet .*Scaled up replica set front-/,
    );
  });

  it('deletes', async () => {
    const said = await cluster.mustKubectl(['delete', '-f', manifest]);
    assert.match(said, /deployment\.apps "front" deleted/);
    await eventually(
      'nothing of the shop is left',
      async () => {
        const left = await cluster.mustKubectl([
          'get',
          'all,endpointslices',
          '-l',
          'app.kubernetes.io/part-of=shop',
          '-o',
          'name',
        ]);
        assert.equal(left, '');
      },
      { timeoutMs: 45_000 },
    );
    await assert.rejects(page(url));
  });
});

describe('an end', { skip: whyNoContainers() ?? false }, () => {
  const other = new TestCluster('e2e-end');
  before(() => other.clear());
  after(() => other.clear());

  it('interrupted while it builds, start takes down what it made', async () => {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(root, 'src/cli/main.ts'), 'start'],
      {
        env: { ...process.env, ...other.env },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let said = '';
    const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
    child.stderr.on('data', (chunk: Buffer) => {
      const wasReady = said.includes('waiting for the nodes');
      said += chunk.toString();
      if (!wasReady && said.includes('waiting for the nodes')) child.kill('SIGINT');
    });
    assert.equal(await ended, 130, said);
    assert.deepEqual(hostTraces(other), [`folder ${other.folder}/data/${other.name}`]);
    await other.mustK8ts(['down', '--purge']);
    assert.deepEqual(hostTraces(other), []);
  });

  it('leaves nothing but data after down, and nothing after down --purge', async () => {
    await other.up();
    await other.mustKubectl([
      'create',
      'deployment',
      'idle',
      '--image=k8ts.local/base',
      '--replicas=3',
      '--',
      'sleep',
      '1d',
    ]);
    await other.mustKubectl(['create', 'configmap', 'kept', '--from-literal=a=b']);
    await other.mustKubectl(['wait', '--for=condition=Available', 'deployment/idle', '--timeout=60s']);
    const interfaces = interfacesOf(other);
    assert.equal(interfaces.length, 4);
    await other.mustK8ts(['down']);
    assert.deepEqual(hostTraces(other, interfaces), [`folder ${other.folder}/data/${other.name}`]);
    await other.mustK8ts(['up']);
    assert.equal(await other.mustKubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}']), 'b');
    await eventually('its pods run again', async () => {
      const path = 'jsonpath={.items[*].status.containerStatuses[0].state.running.startedAt}';
      assert.equal((await other.mustKubectl(['get', 'pods', '-o', path])).split(' ').length, 3);
    });
    await other.mustKubectl(['wait', '--for=condition=Available', 'deployment/idle', '--timeout=60s']);
    const anew = interfacesOf(other);
    await other.mustK8ts(['down', '--purge']);
    assert.deepEqual(hostTraces(other, [...interfaces, ...anew]), []);
    assert.doesNotMatch(readFileSync(other.kubeconfig, 'utf8'), new RegExp(other.name));
  });

  it('leaves nothing either when server and agent were killed', async () => {
    await other.up();
    await other.mustKubectl([
      'create',
      'deployment',
      'idle',
      '--image=k8ts.local/base',
      '--replicas=3',
      '--',
      'sleep',
      '1d',
    ]);
    await other.mustKubectl(['wait', '--for=condition=Available', 'deployment/idle', '--timeout=60s']);
    const interfaces = interfacesOf(other);
    for (const { pid } of readProcessRecords(join(other.folder, 'run', other.name)))
      process.kill(pid, 'SIGKILL');
    assert.ok(
      hostTraces(other).some((trace) => trace.startsWith('process ')),
      'containers run on',
    );
    await other.mustK8ts(['down', '--purge']);
    assert.deepEqual(hostTraces(other, interfaces), []);
    assert.equal(await other.mustK8ts(['down', '--purge']), `There was no cluster "${other.name}".\n`);
  });
});
