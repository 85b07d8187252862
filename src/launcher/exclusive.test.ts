import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { exclusively } from './exclusive.ts';

const folder = mkdtempSync(join(tmpdir(), 'k8ts-lock-'));
after(() => rmSync(folder, { recursive: true }));

test('one body at a time, each in the end, also after one that fails', async () => {
  const file = join(folder, 'turns');
  let running = 0;
  const turn = (i: number): Promise<number> =>
    exclusively(file, async () => {
      assert.equal(++running, 1);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      if (i === 0) throw new Error('the first fails');
      return i;
    });
  const [first, ...others] = await Promise.allSettled([turn(0), turn(1), turn(2)]);
  assert.equal(first?.status, 'rejected');
  assert.deepEqual(others, [
    { status: 'fulfilled', value: 1 },
    { status: 'fulfilled', value: 2 },
  ]);
  assert.ok(!existsSync(file));
});

test('what a killed process held is free; what a living one holds is waited for', async () => {
  const file = join(folder, 'killed');
  // This number is above what the kernel gives.
  symlinkSync('99999999:1', file);
  assert.equal(await exclusively(file, async () => 'free'), 'free');

  const module = JSON.stringify(new URL('exclusive.ts', import.meta.url).href);
  const held = `const { exclusively } = await import(${module});
    await exclusively(${JSON.stringify(file)}, () => new Promise(() => { console.log('held'); setInterval(() => {}, 1e6); }));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', held], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  let isOurs = false;
  const ours = exclusively(file, async () => (isOurs = true));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(isOurs, false);
  child.kill('SIGKILL');
  await ended;
  assert.equal(await ours, true);
});
