import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Server as TcpServer,
} from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { systemClock } from '#platform/node';
import { kubectlPath } from '../../../test/tools/kubectl.ts';
import { servePortForward, serveRemoteCommand } from './index.ts';

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'default' },
  spec: { containers: [{ name: 'c', image: 'i' }] },
  status: { phase: 'Running' },
};

const answers: Readonly<Record<string, object>> = {
  '/api': { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': {
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [{ name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs: ['get'] }],
  },
  '/api/v1/namespaces/default/pods/p': pod,
};

/** Just enough of an API server for `kubectl exec` and `port-forward` against one pod. */
let server: Server;
let echo: TcpServer;
const portOf = (s: Server | TcpServer): number => (s.address() as AddressInfo).port;

before(async () => {
  echo = createTcpServer((socket) => socket.on('data', (data) => socket.end(`echo ${data.toString()}`)));
  echo.listen(0, '127.0.0.1');
  server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    const { pathname } = new URL(request.url ?? '', 'http://x');
    const answer = answers[pathname];
    if (answer === undefined) response.writeHead(404);
    response.end(
      JSON.stringify(answer ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404 }),
    );
  });
  server.on('upgrade', (request, socket: Duplex, head) => {
    const { searchParams, pathname } = new URL(request.url ?? '', 'http://x');
    const upgrade = { method: request.method ?? '', headers: request.headers, socket, head };
    const flag = (name: string): boolean => searchParams.get(name) === 'true';
    const done = pathname.endsWith('/portforward')
      ? servePortForward(upgrade, () => Promise.resolve(connectTcp(portOf(echo), '127.0.0.1')))
      : serveRemoteCommand(upgrade, {
          clock: systemClock,
          streams: { stdin: flag('stdin'), stdout: flag('stdout'), stderr: flag('stderr'), tty: flag('tty') },
          async run({ stdin, stdout, stderr }) {
            const [program = '', argument = ''] = searchParams.getAll('command');
            if (program === 'cat') stdout?.write(await text(stdin as NodeJS.ReadableStream));
            if (program === 'large') for (let i = 0; i < 64; i++) stdout?.write(Buffer.alloc(65_536, 'x'));
            if (program === 'echo') {
              stdout?.write(`${argument}\n`);
              stderr?.write('to stderr\n');
            }
            return program === 'exit' ? Number(argument) : 0;
          },
        });
    done.catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => {
  server.closeAllConnections();
  server.close();
  echo.close();
});

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function kubectl(
  args: readonly string[],
  options: { input?: string; env?: Record<string, string> } = {},
): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(
      kubectlPath(),
      ['--server', `http://127.0.0.1:${portOf(server)}`, '--kubeconfig', '/dev/null', ...args],
      { env: { PATH: '/usr/bin', HOME: '/nonexistent', ...options.env }, maxBuffer: 16_777_216 },
      (error, stdout, stderr) =>
        resolve({
          code: error === null ? 0 : Number(error.code),
          stdout,
          stderr: stderr.replace(/^[EW]\d{4} .*\n/gm, ''),
        }),
    );
    child.stdin?.end(options.input ?? '');
  });
}

const transports = { WebSocket: {}, SPDY: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' } };
for (const [name, env] of Object.entries(transports)) {
  test(`kubectl exec over ${name} carries both outputs`, async () => {
    const result = await kubectl(['exec', 'p', '--', 'echo', 'hello'], { env });
    assert.deepEqual(result, { code: 0, stdout: 'hello\n', stderr: 'to stderr\n' });
  });

  test(`kubectl exec over ${name} ends with the command's exit code`, async () => {
    const result = await kubectl(['exec', 'p', '--', 'exit', '42'], { env });
    assert.deepEqual(result, { code: 42, stdout: '', stderr: 'command terminated with exit code 42\n' });
  });

  test(`kubectl exec -i over ${name} passes stdin and its end`, async () => {
    const input = 'line\n'.repeat(20_000);
    const result = await kubectl(['exec', '-i', 'p', '--', 'cat'], { env, input });
    assert.equal(result.stderr, '');
    assert.equal(result.stdout.length, input.length);
  });

  test(`kubectl exec over ${name} carries four megabytes without losing any`, async () => {
    const result = await kubectl(['exec', 'p', '--', 'large'], { env });
    assert.equal(result.stdout.length, 64 * 65_536);
  });
}

for (const [name, env] of Object.entries({
  WebSocket: {},
  SPDY: { KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' },
})) {
  test(`kubectl port-forward over ${name} carries several connections`, { timeout: 20_000 }, async () => {
    const child = execFile(
      kubectlPath(),
      [
        '--server',
        `http://127.0.0.1:${portOf(server)}`,
        '--kubeconfig',
        '/dev/null',
        'port-forward',
        'p',
        ':80',
      ],
      { env: { PATH: '/usr/bin', HOME: '/nonexistent', ...env } },
    );
    try {
      const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [string];
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
      const answers = ['a', 'b', 'c'].map(async (word) => {
        const socket = connectTcp(port, '127.0.0.1');
        socket.write(word);
        return text(socket);
      });
      assert.deepEqual(await Promise.all(answers), ['echo a', 'echo b', 'echo c']);
    } finally {
      child.kill();
      if (child.exitCode === null) await once(child, 'exit');
    }
  });
}

test('a client that offers no known protocol is refused with the list of those that are', async () => {
  const client = new WebSocket(`ws://127.0.0.1:${portOf(server)}/exec`, ['other.io']);
  const [error] = (await once(client, 'error')) as [Error];
  assert.match(error.message, /403/);
});
