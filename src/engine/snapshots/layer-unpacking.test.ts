import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, beforeEach, suite, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { TAR_END, tarHeader, tarPadding } from '../archive/tar-writer.ts';
import type { TarEntryInit } from '../archive/tar-writer.ts';
import { whyNoContainers } from '../engine.fixture.ts';
import { getXattr } from '../kernel/libc.ts';
import { unpackLayer } from './layer-unpacking.ts';
import type { UnpackResult } from './layer-unpacking.ts';

const base = mkdtempSync(join(tmpdir(), 'k8ts-layer-'));
after(() => rmSync(base, { recursive: true, force: true }));

type Item = TarEntryInit & { readonly content?: string };

const file = (name: string, content: string, more: Partial<TarEntryInit> = {}): Item => ({
  name,
  type: 'file',
  mode: 0o644,
  content,
  ...more,
});
const link = (name: string, linkName: string): Item => ({ name, type: 'symlink', mode: 0o777, linkName });
const hard = (name: string, linkName: string): Item => ({ name, type: 'link', mode: 0o644, linkName });
const folder = (name: string, mode = 0o755): Item => ({ name, type: 'directory', mode });

function tar(items: readonly Item[]): Buffer {
  const parts = items.flatMap(({ content = '', ...init }) => [
    tarHeader({ ...init, sizeBytes: content.length }),
    Buffer.from(content),
    tarPadding(content.length),
  ]);
  return Buffer.concat([...parts, TAR_END]);
}

suite('unpacking a layer', { skip: whyNoContainers() ?? false }, () => {
  let target: string;
  let outside: string;
  let count = 0;
  beforeEach(() => {
    const place = join(base, String(count++));
    target = join(place, 'target');
    outside = join(place, 'outside');
    mkdirSync(target, { recursive: true });
    mkdirSync(outside);
  });

  const unpack = (items: readonly Item[], parents: readonly string[] = []): Promise<UnpackResult> =>
    unpackLayer(Readable.from([tar(items)]), { target, parents });
  const read = (name: string): string => readFileSync(join(target, name), 'utf8');

  test('keeps contents, owners, modes with setuid, times, links, devices and attributes', async () => {
    const capability = Buffer.from('0100000200000000000000000000000000000000', 'hex');
    await unpack([
      folder('dir', 0o1777),
      file('dir/tool', 'program', {
        mode: 0o4755,
        uid: 12,
        gid: 34,
        mtimeMs: 1_500_000_000_000,
        xattrs: new Map([
          ['security.capability', capability],
          ['user.note', Buffer.from('n')],
        ]),
      }),
      hard('dir/same', 'dir/tool'),
      link('dir/link', '../else/where'),
      { name: 'null', type: 'character', mode: 0o666, deviceMajor: 1, deviceMinor: 3 },
      { name: 'pipe', type: 'fifo', mode: 0o600 },
      file('big', 'b'.repeat(300_000)),
    ]);
    const stats = lstatSync(join(target, 'dir/tool'));
    assert.deepEqual(
      [stats.mode & 0o7777, stats.uid, stats.gid, stats.mtimeMs, stats.nlink],
      [0o4755, 12, 34, 1_500_000_000_000, 2],
    );
    assert.equal(lstatSync(join(target, 'dir')).mode & 0o7777, 0o1777);
    assert.deepEqual(getXattr(join(target, 'dir/tool'), 'security.capability'), capability);
    assert.equal(getXattr(join(target, 'dir/tool'), 'user.note')?.toString(), 'n');
    assert.equal(readlinkSync(join(target, 'dir/link')), '../else/where');
    assert.ok(
      lstatSync(join(target, 'null')).isCharacterDevice() && lstatSync(join(target, 'null')).rdev === 0x103,
    );
    assert.ok(lstatSync(join(target, 'pipe')).isFIFO());
    assert.equal(read('big').length, 300_000);
  });

  test('knows plain, gzip and zstd by their bytes, and gives the digest of the plain tar', async () => {
    const plain = tar([file('a', 'x')]);
    const diffId = `sha256:${createHash('sha256').update(plain).digest('hex')}`;
    for (const bytes of [plain, gzipSync(plain), zstdCompressSync(plain)]) {
      rmSync(join(target, 'a'), { force: true });
      const result = await unpackLayer(Readable.from([bytes]), { target, parents: [] });
      assert.deepEqual([result.diffId, result.entries, result.sizeBytes, read('a')], [diffId, 1, 1, 'x']);
    }
  });

  test('whiteouts become what overlayfs takes for one; what the layer itself has put there stays', async () => {
    await unpack([
      file('kept', 'k'),
      file('.wh.kept', ''),
      file('d/.wh.gone', ''),
      file('o/.wh..wh..opq', ''),
      file('o/new', 'n'),
    ]);
    assert.equal(read('kept'), 'k');
    assert.ok(
      lstatSync(join(target, 'd/gone')).isCharacterDevice() && lstatSync(join(target, 'd/gone')).rdev === 0,
    );
    assert.equal(getXattr(join(target, 'o'), 'trusted.overlay.opaque')?.toString(), 'y');
  });

  test('folders that are only implied look like those of the layers below', async () => {
    const parent = join(base, 'parent');
    mkdirSync(join(parent, 'tmp'), { recursive: true });
    chmodSync(join(parent, 'tmp'), 0o1777);
    await unpack([file('tmp/x', ''), file('other/x', '')], [parent]);
    assert.equal(lstatSync(join(target, 'tmp')).mode & 0o7777, 0o1777);
    assert.equal(lstatSync(join(target, 'other')).mode & 0o7777, 0o755);
  });

  test('a hard link to a file of a layer below is a copy of it', async () => {
    const parent = join(base, 'linked');
    mkdirSync(parent);
    writeFileSync(join(parent, 'origin'), 'text', { mode: 0o640 });
    await unpack([hard('copy', 'origin')], [parent]);
    assert.deepEqual([read('copy'), lstatSync(join(target, 'copy')).mode & 0o777], ['text', 0o640]);
    await assert.rejects(unpack([hard('broken', 'nowhere')]), /hard link target nowhere does not exist/);
  });

  test('a later entry replaces an earlier one of another kind', async () => {
    await unpack([folder('x'), file('x/inside', ''), file('x', 'file now'), file('y', ''), folder('y')]);
    assert.equal(read('x'), 'file now');
    assert.ok(lstatSync(join(target, 'y')).isDirectory());
  });

  test('nothing leads out: dots, absolute names, links to the outside, link chains, hard links, whiteouts', async () => {
    writeFileSync(join(outside, 'secret'), 'secret');
    const attacks: readonly (readonly Item[])[] = [
      [file('../outside/pwned', 'x')],
      [file('/../../../../../../../outside/pwned', 'x')],
      [link('out', '../outside'), file('out/pwned', 'x')],
      [link('out', outside), file('out/pwned', 'x')],
      [link('a', '..'), link('b', 'a/outside'), file('b/pwned', 'x')],
      [folder('d'), link('d/e', '../../outside'), file('d/e/pwned', 'x')],
      [link('pwn', join(outside, 'pwned')), file('pwn', 'x')],
      [link('out', outside), file('out/.wh.secret', '')],
      [link('out', outside), file('out/.wh..wh..opq', '')],
      [link('out', outside), folder('out/new', 0o777)],
      [link('root', '/'), file(`root${outside}/pwned`, 'x')],
    ];
    for (const attack of attacks) {
      await unpack(attack).catch(() => undefined);
      assert.deepEqual(readdirSync(outside), ['secret'], JSON.stringify(attack));
      assert.equal(getXattr(outside, 'trusted.overlay.opaque'), undefined);
      rmSync(target, { recursive: true, force: true });
      mkdirSync(target);
    }
    for (const name of ['../outside/secret', join(outside, 'secret')]) {
      await assert.rejects(unpack([hard('stolen', name)]), /does not exist/);
      assert.ok(!existsSync(join(target, 'stolen')));
    }
    await assert.rejects(unpack([link('out', outside), hard('stolen', 'out/secret')]), /does not exist/);
  });

  test('attributes of overlayfs in a tar are not believed', async () => {
    await unpack([
      {
        ...folder('d'),
        xattrs: new Map([
          ['trusted.overlay.opaque', Buffer.from('y')],
          ['trusted.overlay.redirect', Buffer.from('/etc')],
        ]),
      },
    ]);
    assert.equal(getXattr(join(target, 'd'), 'trusted.overlay.opaque'), undefined);
    assert.equal(getXattr(join(target, 'd'), 'trusted.overlay.redirect'), undefined);
  });

  test('links that go round in circles are refused', async () => {
    await assert.rejects(unpack([link('a', 'b'), link('b', 'a'), file('a/x', '')]), /too many symlinks/);
  });

  test('an archive that is cut short is refused', async () => {
    const bytes = gzipSync(tar([file('a', 'x'.repeat(5000))]));
    const source = Readable.from([bytes.subarray(0, bytes.length - 20)]);
    await assert.rejects(unpackLayer(source, { target, parents: [] }), /unexpected end/);
  });
});
