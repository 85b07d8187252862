import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { nodeFiles } from './node-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'k8ts-files-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('replaceFile leaves the whole new content with the asked mode and no temporary file', async () => {
  const path = join(folder, 'a');
  await nodeFiles.writeFile(path, 'old');
  await nodeFiles.replaceFile(path, 'new', { mode: 0o600 });
  assert.equal((await nodeFiles.readFile(path)).toString(), 'new');
  assert.equal((await nodeFiles.stat(path))?.mode, 0o600);
  assert.deepEqual(await nodeFiles.list(folder), ['a']);
});

test('stat of a missing path is undefined, of a dangling symlink only when it is followed', async () => {
  const link = join(folder, 'link');
  await nodeFiles.symlink('nowhere', link);
  assert.equal(await nodeFiles.stat(join(folder, 'missing')), undefined);
  assert.equal(await nodeFiles.stat(link), undefined);
  assert.equal((await nodeFiles.stat(link, { follow: false }))?.kind, 'symlink');
});
