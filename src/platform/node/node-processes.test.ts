import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeProcesses } from './node-processes.ts';

test('a non-zero exit is a result that carries both outputs', async () => {
  const result = await nodeProcesses.run('sh', ['-c', 'cat; echo bad >&2; exit 3'], { input: 'in' });
  assert.deepEqual(
    { exitCode: result.exitCode, stdout: result.stdout.toString(), stderr: result.stderr.toString() },
    { exitCode: 3, stdout: 'in', stderr: 'bad\n' },
  );
});

test('a child ended by a signal reports 128 plus its number', async () => {
  assert.equal((await nodeProcesses.run('sh', ['-c', 'kill -9 $$'])).exitCode, 137);
});

test('a program that does not exist rejects with ENOENT', async () => {
  await assert.rejects(nodeProcesses.run('k8ts-no-such-program', []), { code: 'ENOENT' });
});

test('an abort ends the child and rejects with the reason', async () => {
  const controller = new AbortController();
  const run = nodeProcesses.run('sleep', ['60'], { signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(run, /enough/);
});

test('output beyond the bound is dropped', async () => {
  const result = await nodeProcesses.run('sh', ['-c', 'head -c 5000 /dev/zero'], { maxOutputBytes: 100 });
  assert.equal(result.stdout.length, 100);
});
