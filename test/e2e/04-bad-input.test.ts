/**
 * Bad input is answered as upstream answers it, and never as a fault of the server. `upstream-answers.json` is what
 * kube-apiserver 1.36.3 said to the same commands; K8TS_RECORD_UPSTREAM=<kubeconfig of one> records it anew.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadKubeconfig } from '#client';
import { whyNoContainers } from '../tools/containers.ts';
import { eventually } from '../tools/eventually.ts';
import { kubectlPath } from '../tools/kubectl.ts';
import { type CommandResult, runCommand, TestCluster } from '../tools/test-cluster.ts';
import { type HostileRequest, hostileRequests } from './bad-input/hostile-requests.ts';
import { type KubectlCase, kubectlCases } from './bad-input/kubectl-cases.ts';

const cluster = new TestCluster('e2e-bad');
const NAMESPACE = 'bad-input';
const answersFile = fileURLToPath(new URL('bad-input/upstream-answers.json', import.meta.url));
const reference = process.env['K8TS_RECORD_UPSTREAM'];

type Answers = Readonly<Record<string, CommandResult>>;

async function answerTo(kubeconfig: string, { args, input }: KubectlCase): Promise<CommandResult> {
  const place = args.includes('-n') ? [] : ['-n', NAMESPACE];
  const result = await runCommand(kubectlPath(), ['--kubeconfig', kubeconfig, ...place, ...args], {
    ...(input === undefined ? {} : { input }),
  });
  return { ...result, stderr: comparable(result.stderr) };
}

/** Upstream adds a difference of Go structs, with line numbers of its own, to what may not change in a pod. */
const comparable = (text: string): string => text.replace(/\n@@[^]*$/, '\n');

async function record(kubeconfig: string): Promise<void> {
  const kubectl = (args: readonly string[]) =>
    runCommand(kubectlPath(), ['--kubeconfig', kubeconfig, ...args]);
  await kubectl(['create', 'namespace', NAMESPACE]);
  await kubectl(['create', 'serviceaccount', 'default', '-n', NAMESPACE]);
  const answers: Record<string, CommandResult> = {};
  for (const example of kubectlCases) answers[example.title] = await answerTo(kubeconfig, example);
  writeFileSync(answersFile, `${JSON.stringify(answers, null, 2)}\n`);
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function send(
  agent: Agent,
  server: string,
  { method = 'GET', path, headers = {}, body }: HostileRequest,
): Promise<Answer> {
  const { hostname, port } = new URL(server);
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    // The path goes out as it is: a URL would put it right.
    const asking = request(
      { agent, hostname, port, method, path, headers: { ...headers, ...length } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            type: response.headers['content-type'] ?? '',
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    asking.setTimeout(15_000, () => asking.destroy(new Error('no answer in 15 s')));
    asking.on('error', reject);
    asking.end(body);
  });
}

describe('bad input', {
  skip: reference === undefined ? (whyNoContainers() ?? false) : 'records upstream',
}, () => {
  before(async () => {
    await cluster.up();
    await cluster.mustKubectl(['create', 'namespace', NAMESPACE]);
    await eventually('the default service account', () =>
      cluster.mustKubectl(['get', 'serviceaccount', 'default', '-n', NAMESPACE]),
    );
  });
  after(() => cluster.clear());

  const upstream = JSON.parse(readFileSync(answersFile, 'utf8')) as Answers;
  for (const example of kubectlCases) {
    it(`says what upstream says to ${example.title}`, async () => {
      assert.deepEqual(await answerTo(cluster.kubeconfig, example), upstream[example.title]);
    });
  }

  it('answers hostile requests with what is wrong with them, never as its own fault', async () => {
    const access = loadKubeconfig(readFileSync(cluster.kubeconfig, 'utf8'));
    const agent = new Agent({
      ca: access.ca,
      cert: access.clientCert,
      key: access.clientKey,
      keepAlive: true,
    });
    await cluster.mustKubectl(['create', 'configmap', 'hostile', '--from-literal=a=b']);
    const wrong: string[] = [];
    for (const hostile of hostileRequests) {
      const answer = await send(agent, access.server, hostile).catch((error: unknown) => String(error));
      const text = typeof answer === 'string' ? answer : `${answer.status} ${answer.body.slice(0, 300)}`;
      const isFine = typeof answer !== 'string' && answer.status < 500 && isWellFormed(answer);
      if (!isFine) wrong.push(`${hostile.title}: ${text}`);
    }
    agent.destroy();
    assert.deepEqual(wrong, []);
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
    assert.equal(await cluster.mustKubectl(['get', '--raw', '/readyz']), 'ok');
  });

  it('says why an image cannot be pulled, and tries again', async () => {
    await cluster.mustKubectl(['run', 'nowhere', '--image=registry.invalid/nothing:1', '-n', NAMESPACE]);
    const path = 'jsonpath={.status.containerStatuses[0].state.waiting}';
    const get = () => cluster.mustKubectl(['get', 'pod', 'nowhere', '-n', NAMESPACE, '-o', path]);
    await eventually('it waits before it tries again', async () => {
      const waiting = JSON.parse((await get()) || '{}') as { reason?: string; message?: string };
      assert.equal(waiting.reason, 'ImagePullBackOff');
      assert.match(
        waiting.message ?? '',
        /^Back-off pulling image "registry\.invalid\/nothing:1": ErrImagePull: .*registry\.invalid/,
      );
    });
    assert.match(
      await cluster.mustKubectl(['get', 'pod', 'nowhere', '-n', NAMESPACE]),
      /0\/1 +(?:ErrImagePull|ImagePullBackOff) +0/,
    );
    await eventually('events say it', async () => {
      const events = await cluster.mustKubectl([
        'get',
        'events',
        '-n',
        NAMESPACE,
        '--field-selector=involvedObject.name=nowhere',
      ]);
      assert.match(events, /Failed .*Failed to pull image "registry\.invalid\/nothing:1"/);
      assert.match(events, /Failed .*Error: ErrImagePull/);
      assert.match(events, /BackOff .*Back-off pulling image "registry\.invalid\/nothing:1"/);
    });
  });

  it('does not start a container whose image is not there and may not be pulled', async () => {
    await cluster.mustKubectl([
      ...['run', 'absent', '--image=k8ts.local/absent:1', '--image-pull-policy=Never', '-n', NAMESPACE],
    ]);
    await eventually('it says so', async () => {
      const path = 'jsonpath={.status.containerStatuses[0].state.waiting}';
      const waiting = await cluster.mustKubectl(['get', 'pod', 'absent', '-n', NAMESPACE, '-o', path]);
      assert.deepEqual(JSON.parse(waiting || '{}'), {
        reason: 'ErrImageNeverPull',
        message: 'Container image "k8ts.local/absent:1" is not present with pull policy of Never',
      });
    });
  });
});

/** An error is a Status that names the same code. */
function isWellFormed({ status, type, body }: Answer): boolean {
  if (status < 400 || !type.startsWith('application/json')) return true;
  const answer = JSON.parse(body) as { readonly kind?: string; readonly code?: number };
  return answer.kind === 'Status' && answer.code === status;
}

if (reference !== undefined) it('records what upstream says', () => record(reference));
