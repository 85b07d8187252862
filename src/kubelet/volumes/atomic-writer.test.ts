import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#testing';
import { createMemoryFiles } from '../simulated/memory-files.ts';
import { AtomicWriter, type Payload } from './atomic-writer.ts';
import { resolveSubPath } from './sub-path.ts';

const payload = (entries: Record<string, string>): Payload =>
  new Map(Object.entries(entries).map(([path, text]) => [path, { data: Buffer.from(text), mode: 0o644 }]));
const nothing = async (): Promise<void> => undefined;

test('Readers see all old or all new files through one swapped link', async () => {
  const clock = new VirtualClock();
  const files = createMemoryFiles(clock);
  const writer = new AtomicWriter({ files, clock });
  await writer.write('/v', payload({ a: '1', 'sub/b': '2' }), nothing);
  assert.deepEqual(await files.list('/v'), ['..2026_01_01_00_00_00.000000000', '..data', 'a', 'sub']);
  assert.equal(await files.readlink('/v/a'), '..data/a');
  assert.equal((await files.readFile('/v/sub/b')).toString(), '2');
  await clock.advance(1000);
  await writer.write('/v', payload({ a: '3' }), nothing);
  assert.deepEqual(await files.list('/v'), ['..2026_01_01_00_00_01.000000000', '..data', 'a']);
  assert.equal((await files.readFile('/v/a')).toString(), '3');
});

test('What prepares the new files runs before they can be seen', async () => {
  const clock = new VirtualClock();
  const files = createMemoryFiles(clock);
  const writer = new AtomicWriter({ files, clock });
  await writer.write('/v', payload({ a: '1' }), async (folder) => {
    assert.equal(await files.stat('/v/..data'), undefined);
    await files.chown(`${folder}/a`, -1, 2000);
  });
  assert.equal((await files.stat('/v/a'))?.gid, 2000);
});

test('Paths that leave the volume or clash with its layout are refused', async () => {
  const clock = new VirtualClock();
  const writer = new AtomicWriter({ files: createMemoryFiles(clock), clock });
  for (const path of ['../x', '/x', 'a/../../x', '..data', '']) {
    await assert.rejects(writer.write('/v', payload({ [path]: '' }), nothing), {
      message: `invalid path: ${path}`,
    });
  }
});

test('A subPath is found inside the volume, made when missing, and never outside', async () => {
  const files = createMemoryFiles(new VirtualClock());
  await files.mkdir('/v/a', { recursive: true });
  await files.mkdir('/etc/secret', { recursive: true });
  await files.symlink('a', '/v/inside');
  await files.symlink('/etc', '/v/absolute');
  await files.symlink('../etc', '/v/relative');
  await files.symlink('loop', '/v/loop');
  assert.equal(await resolveSubPath(files, '/v', 'a'), '/v/a');
  assert.equal(await resolveSubPath(files, '/v', 'inside/b/c'), '/v/a/b/c');
  assert.equal((await files.stat('/v/a/b/c'))?.kind, 'directory');
  for (const bad of ['absolute/secret', 'relative/secret', 'loop', '../x', '/x', 'a/../../x']) {
    await assert.rejects(resolveSubPath(files, '/v', bad), Error, bad);
  }
});
