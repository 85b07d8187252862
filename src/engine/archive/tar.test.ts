import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { TarError, TarReader } from './tar-reader.ts';
import { TAR_END, tarHeader, tarPadding } from './tar-writer.ts';
import type { TarEntryInit } from './tar-writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'k8ts-tar-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

async function readAll(
  bytes: Buffer,
  pieceSize = 700,
): Promise<{ name: string; content: string; [key: string]: unknown }[]> {
  const reader = new TarReader(inPieces(bytes, pieceSize));
  const entries = [];
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    const chunks: Buffer[] = [];
    for await (const chunk of reader.content()) chunks.push(chunk);
    entries.push({ ...entry, content: Buffer.concat(chunks).toString() });
  }
  return entries;
}

const archive = (...entries: (readonly [TarEntryInit, string?])[]): Buffer =>
  Buffer.concat([
    ...entries.flatMap(([init, content = '']) => [
      tarHeader({ ...init, sizeBytes: content.length }),
      Buffer.from(content),
      tarPadding(content.length),
    ]),
    TAR_END,
  ]);

test('what the writer writes the reader reads, however the bytes are cut', async () => {
  const long = `${'d'.repeat(90)}/${'f'.repeat(200)}-ü`;
  const bytes = archive(
    [{ name: 'folder', type: 'directory', mode: 0o1777, uid: 1, gid: 2, mtimeMs: 1_000_000 }],
    [
      {
        name: long,
        type: 'file',
        mode: 0o4755,
        uid: 3_000_000,
        xattrs: new Map([['security.capability', Buffer.from([1, 0, 0, 2, 255, 10, 61])]]),
      },
      'content',
    ],
    [{ name: 'link', type: 'symlink', mode: 0o777, linkName: 'x'.repeat(150) }],
    [{ name: 'device', type: 'character', mode: 0o600, deviceMajor: 5, deviceMinor: 1 }],
  );
  for (const size of [1, 511, 512, 513, 1_000_000]) {
    const [first, second, third, fourth] = await readAll(bytes, size);
    assert.deepEqual(
      [first?.name, first?.type, first?.mode, first?.uid, first?.gid, first?.mtimeMs],
      ['folder/', 'directory', 0o1777, 1, 2, 1_000_000],
    );
    assert.deepEqual(
      [second?.name, second?.mode, second?.uid, second?.content],
      [long, 0o4755, 3_000_000, 'content'],
    );
    assert.deepEqual(
      second?.xattrs,
      new Map([['security.capability', Buffer.from([1, 0, 0, 2, 255, 10, 61])]]),
    );
    assert.equal(third?.linkName, 'x'.repeat(150));
    assert.deepEqual([fourth?.deviceMajor, fourth?.deviceMinor], [5, 1]);
  }
});

for (const format of ['gnu', 'pax', 'ustar', 'v7']) {
  test(`archives of tar in ${format} format are read`, async () => {
    const name = `${format === 'v7' || format === 'ustar' ? 'n'.repeat(90) : 'n'.repeat(180)}.txt`;
    writeFileSync(join(folder, name), 'hello');
    const path = join(folder, `${format}.tar`);
    execFileSync('tar', [`--format=${format}`, '-C', folder, '-cf', path, name]);
    const [entry] = await readAll(readFileSync(path));
    assert.deepEqual([entry?.name, entry?.content], [name, 'hello']);
  });
}

test('tar reads what the writer writes', () => {
  const path = join(folder, 'own.tar');
  writeFileSync(
    path,
    archive(
      [{ name: `${'p'.repeat(150)}/file`, type: 'file', mode: 0o640 }, 'abc'],
      [{ name: 's', type: 'symlink', mode: 0o777, linkName: 'target' }],
    ),
  );
  const listed = execFileSync('tar', ['-tvf', path], { encoding: 'utf8' });
  assert.match(
    listed,
    new RegExp(
      `^-rw-r----- 0/0 +3 1970-01-01 \\d\\d:00 ${'p'.repeat(150)}/file\nlrwxrwxrwx 0/0 +0 1970-01-01 \\d\\d:00 s -> target\n$`,
    ),
  );
});

test('the same entry gives the same bytes', () => {
  const entry: TarEntryInit = {
    name: 'a',
    type: 'file',
    mode: 0o644,
    xattrs: new Map([
      ['user.b', Buffer.from('1')],
      ['user.a', Buffer.from('2')],
    ]),
  };
  const turned: TarEntryInit = { ...entry, xattrs: new Map([...(entry.xattrs ?? [])].reverse()) };
  assert.deepEqual(tarHeader(entry), tarHeader(turned));
});

test('content that is not read is skipped', async () => {
  const bytes = archive(
    [{ name: 'a', type: 'file', mode: 0o644 }, 'x'.repeat(2000)],
    [{ name: 'b', type: 'file', mode: 0o644 }, 'y'],
  );
  const reader = new TarReader(inPieces(bytes, 100));
  assert.equal((await reader.next())?.name, 'a');
  assert.equal((await reader.next())?.name, 'b');
  assert.equal(await reader.next(), undefined);
});

test('a broken archive is refused: cut short, wrong checksum, an absurd record, a sparse file', async () => {
  const bytes = archive([{ name: 'a', type: 'file', mode: 0o644 }, 'x'.repeat(2000)]);
  await assert.rejects(readAll(bytes.subarray(0, 900)), new TarError('unexpected end of the archive'));
  await assert.rejects(readAll(bytes.subarray(0, 300)), new TarError('unexpected end of the archive'));
  const damaged = Buffer.from(bytes);
  damaged[0] = 0x62;
  await assert.rejects(readAll(damaged), new TarError('invalid tar header: wrong checksum'));
  const huge = Buffer.from(tarHeader({ name: 'x', type: 'file', mode: 0o644, sizeBytes: 5_000_000 }));
  huge.write('x', 156);
  const sum = huge.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  huge.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  await assert.rejects(readAll(huge), new TarError('a tar record is too large'));
  const sparse = join(folder, 'sparse.tar');
  execFileSync('sh', ['-c', `truncate -s 10M ${folder}/hole && tar -C ${folder} -S -cf ${sparse} hole`]);
  await assert.rejects(readAll(readFileSync(sparse)), new TarError('sparse files are not supported'));
});
