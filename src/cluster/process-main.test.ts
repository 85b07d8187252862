import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('process-main.ts', import.meta.url));

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly code?: number;
  readonly err?: { readonly message: string };
}

/** Runs a process of the cluster whose `start` is this code; `onReady` when it has told that it is ready. */
async function run(
  t: TestContext,
  start: string,
  onReady: (end: (signal: NodeJS.Signals) => void) => void = () => undefined,
): Promise<{ readonly code: number | null; readonly log: readonly Line[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-process-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const input = join(folder, 'input.json');
  writeFileSync(input, JSON.stringify({ layout: { run: join(folder, 'run') }, config: {}, version: '1' }));
  const script = join(folder, 'main.mjs');
  writeFileSync(
    script,
    `import { runProcess } from ${JSON.stringify(main)};\nawait runProcess('test', ${start});`,
  );
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, input], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  child.on('message', (message: { readonly type: string }) => {
    if (message.type === 'ready') onReady((signal) => child.kill(signal));
  });
  assert(child.stdout !== null);
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  const log = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  return { code: code as number | null, log };
}

const ALIVE = 'setInterval(() => undefined, 1000)';

test('a process that cannot start says why and ends with 1', async (t) => {
  const { code, log } = await run(t, `async () => { throw new Error('no room') }`);
  assert.equal(code, 1);
  assert.deepEqual(
    log.map(({ msg, err, code: ended }) => [msg, err?.message ?? ended]),
    [
      ['could not start', 'no room'],
      ['ended', 1],
    ],
  );
});

test('a process that is told to stop ends with 0; one that cannot stop says why', async (t) => {
  const orderly = await run(t, `async () => { ${ALIVE}; return { stop: async () => undefined } }`, (end) =>
    end('SIGTERM'),
  );
  assert.equal(orderly.code, 0);
  assert.deepEqual(
    orderly.log.map(({ msg }) => msg),
    ['stopping'],
  );
  const stuck = await run(
    t,
    `async () => { ${ALIVE}; return { stop: async () => { throw new Error('held') } } }`,
    (end) => end('SIGTERM'),
  );
  assert.equal(stuck.code, 1);
  assert.deepEqual(
    stuck.log.map(({ msg, err, code }) => [msg, err?.message ?? code]),
    [
      ['stopping', undefined],
      ['could not stop in an orderly way', 'held'],
      ['ended', 1],
    ],
  );
});

test('an error nobody caught is logged, and the process goes on', async (t) => {
  const start = `async () => {
    ${ALIVE};
    queueMicrotask(() => { throw new Error('uncaught') });
    Promise.reject(new Error('unhandled'));
    return { stop: async () => undefined };
  }`;
  const { code, log } = await run(t, start, (end) => end('SIGTERM'));
  assert.equal(code, 0);
  assert.deepEqual(
    new Set(log.flatMap(({ err }) => (err === undefined ? [] : [err.message]))),
    new Set(['uncaught', 'unhandled']),
  );
});

test('the exit of a process that something else ends leaves a line', async (t) => {
  const { code, log } = await run(t, `async () => process.exit(1)`);
  assert.equal(code, 1);
  assert.deepEqual(
    log.map(({ msg, code: ended }) => [msg, ended]),
    [['ended', 1]],
  );
});
