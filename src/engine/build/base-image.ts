/**
 * Base images made of what this machine has, for where no registry can be reached. The same programs give the same
 * digests.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { fileEntry, folderEntry, linkEntry, writeLayer } from '../archive/layer-writer.ts';
import type { LayerFile } from '../archive/layer-writer.ts';
import type { ContentStore } from '../content/content-store.ts';
import type { Platform } from '../content/media-types.ts';
import { findProgram } from '../containers/runc.ts';
import type { ImageRecord } from '../images/image-database.ts';
import type { Images } from '../images/images.ts';
import { writeImage } from './image-writer.ts';

const run = promisify(execFile);

export interface BaseImageOptions {
  readonly content: ContentStore;
  readonly images: Images;
  readonly platform: Platform;
}

export const BASE_IMAGE = 'k8ts.local/base:latest';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const PASSWD = [
  'root:x:0:0:root:/root:/bin/sh',
  'daemon:x:1:1:daemon:/usr/sbin:/bin/false',
  'nobody:x:65534:65534:nobody:/nonexistent:/bin/false',
]
  .map((line) => `${line}\n`)
  .join('');

const GROUP = ['root:x:0:', 'daemon:x:1:', 'tty:x:5:', 'nogroup:x:65534:']
  .map((line) => `${line}\n`)
  .join('');

const FOLDERS =
  'dev etc home opt proc root run sys usr usr/bin usr/lib usr/lib64 usr/local usr/local/bin usr/local/lib var var/log'.split(
    ' ',
  );

/** One folder of programs and one of libraries, under all the names they are looked for. */
const FOLDER_LINKS = [
  ['bin', 'usr/bin'],
  ['sbin', 'usr/bin'],
  ['lib', 'usr/lib'],
  ['lib64', 'usr/lib64'],
  ['usr/sbin', 'bin'],
  ['var/run', '../run'],
] as const;

/** Folders, accounts and every busybox applet. */
async function* busyboxFiles(): AsyncGenerator<LayerFile> {
  const busybox = findProgram('busybox');
  const { stdout } = await run(busybox, ['--list']);
  for (const name of FOLDERS) yield folderEntry(name, name === 'root' ? 0o700 : 0o755);
  for (const name of ['tmp', 'var/tmp']) yield folderEntry(name, 0o1777);
  for (const [name, target] of FOLDER_LINKS) yield linkEntry(name, target);
  yield fileEntry('etc/passwd', PASSWD);
  yield fileEntry('etc/group', GROUP);
  yield fileEntry('etc/nsswitch.conf', 'hosts: files dns\n');
  yield fileEntry('usr/bin/busybox', readFileSync(busybox), 0o755);
  const applets = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  for (const applet of applets.sort()) yield linkEntry(`usr/bin/${applet}`, 'busybox');
}

/**
 * `k8ts.local/base`: a shell, the usual small programs, httpd and nc, from Debian's busybox-static.
 * @throws RuntimeError UNAVAILABLE when busybox is not installed.
 */
export async function makeBaseImage(options: BaseImageOptions): Promise<ImageRecord> {
  const existing = options.images.find(BASE_IMAGE);
  if (existing !== undefined) return existing;
  const layer = await writeLayer(options.content, busyboxFiles());
  const image = await writeImage(options.content, {
    platform: options.platform,
    config: { Env: [PATH], Cmd: ['sh'], WorkingDir: '/' },
    layers: [layer],
    history: [{ created_by: 'busybox with every applet' }],
  });
  return options.images.register(image, BASE_IMAGE);
}
