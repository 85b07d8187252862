/**
 * The images that upstream's tests name, under upstream's names, made of Debian packages and upstream's own test
 * programs: no image registry is needed, and none is asked. They are fixtures, not upstream's images: what they hold
 * is what the tests use of those.
 *
 * Packages come from the machine's own apt configuration and are unpacked, never installed. Everything is kept below
 * `.cache/conformance`; remove that folder to make it anew.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureProgram } from '../upstream/build.ts';

const cache = fileURLToPath(new URL('../../.cache/conformance', import.meta.url));
const sources = fileURLToPath(new URL('../upstream/kubernetes', import.meta.url));

const E2E = 'registry.k8s.io/e2e-test-images';
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A layer is what `fill` puts into an empty folder. */
interface LayerRecipe {
  readonly name: string;
  readonly fill: (root: string) => void;
}

interface ImageRecipe {
  readonly names: readonly string[];
  /** From the bottom up. */
  readonly layers: readonly LayerRecipe[];
  readonly config: Readonly<Record<string, unknown>>;
}

function run(program: string, args: readonly string[], cwd = cache): string {
  return execFileSync(program, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 26,
  });
}

/** Packages that only installing needs, or that a container has from elsewhere. */
const NOT_NEEDED =
  /^(debconf|cdebconf|dpkg|gawk|mawk|original-awk|install-info|tar|perl.*|libdebian-installer4|libnewt.*|libslang2|libtextwrap1|base-files|debianutils|readline-common)$/;

/** Unpacks Debian packages and what they depend on. */
function unpack(root: string, packages: readonly string[]): void {
  const flags = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(
    (kind) => `--no-${kind}`,
  );
  const closure = run('apt-cache', ['depends', '--recurse', '--important', ...flags, ...packages])
    .split('\n')
    .filter((line) => /^[a-z0-9]/.test(line) && !NOT_NEEDED.test(line));
  const folder = join(cache, 'packages');
  mkdirSync(folder, { recursive: true });
  const missing = [...new Set(closure)].filter((name) => archiveOf(folder, name) === undefined);
  if (missing.length > 0) run('apt-get', ['download', ...missing], folder);
  for (const name of new Set(closure)) {
    const archive = archiveOf(folder, name);
    if (archive === undefined) throw new Error(`apt-get download brought no ${name}`);
    run('dpkg-deb', ['-x', archive, root]);
  }
  for (const extra of ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/info'])
    rmSync(join(root, extra), { recursive: true, force: true });
}

function archiveOf(folder: string, name: string): string | undefined {
  const file = readdirSync(folder).find((entry) => entry.startsWith(`${name}_`));
  return file === undefined ? undefined : join(folder, file);
}

/** Folders, accounts, and a link in /bin for every applet of busybox that no package brings. */
function fillSystem(root: string): void {
  for (const folder of ['bin', 'etc', 'home', 'root', 'tmp', 'usr/bin', 'usr/sbin', 'var/tmp', 'sbin'])
    mkdirSync(join(root, folder), { recursive: true });
  for (const folder of ['tmp', 'var/tmp']) chmodSync(join(root, folder), 0o1777);
  writeFileSync(
    join(root, 'etc/passwd'),
    [
      'root:x:0:0:root:/root:/bin/sh',
      'daemon:x:1:1:daemon:/usr/sbin:/bin/false',
      'www-data:x:33:33:www-data:/var/www:/bin/false',
      'user-defined-in-image:x:1000:1000::/home:/bin/sh',
      'nobody:x:65534:65534:nobody:/home:/bin/false',
      '',
    ].join('\n'),
  );
  writeFileSync(
    join(root, 'etc/group'),
    [
      'root:x:0:',
      'daemon:x:1:',
      'adm:x:4:',
      'tty:x:5:',
      'www-data:x:33:',
      'user-defined-in-image:x:1000:',
      'group-defined-in-image:x:50000:user-defined-in-image',
      'nogroup:x:65534:',
      '',
    ].join('\n'),
  );
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n');
  const folders = ['bin', 'sbin', 'usr/bin', 'usr/sbin'];
  for (const applet of run(join(root, 'bin/busybox'), ['--list']).split('\n')) {
    if (applet === '' || folders.some((folder) => existsSync(join(root, folder, applet)))) continue;
    symlinkSync('busybox', join(root, 'bin', applet));
  }
}

const busyboxSystem: LayerRecipe = {
  name: 'busybox',
  fill(root) {
    unpack(root, ['busybox', 'libc-bin', 'bash']);
    // The busybox of upstream's image passes variables like `data-1` on to children; Debian's shell drops them.
    symlinkSync('bash', join(root, 'bin/sh'));
    fillSystem(root);
  },
};

const toolbox: LayerRecipe = {
  name: 'toolbox',
  fill(root) {
    unpack(root, ['busybox', 'libc-bin', 'bash', 'curl', 'netcat-openbsd', 'bind9-dnsutils', 'iproute2']);
    symlinkSync('nc.openbsd', join(root, 'bin/nc'));
    fillSystem(root);
  },
};

const upstreamSource = (path: string): string =>
  join(run('go', ['list', '-m', '-f', '{{.Dir}}', 'k8s.io/kubernetes'], sources).trim(), path);

const agnhost: LayerRecipe = {
  name: 'agnhost',
  fill(root) {
    copyFileSync(ensureProgram('agnhost'), join(root, 'agnhost'));
    chmodSync(join(root, 'agnhost'), 0o755);
    symlinkSync('agnhost', join(root, 'agnhost-2'));
    mkdirSync(join(root, 'uploads'));
    for (const file of ['localhost.crt', 'localhost.key']) {
      const path = join(root, file);
      writeFileSync(path, readFileSync(upstreamSource(`test/images/agnhost/porter/${file}`)));
    }
  },
};

const pictures = (name: string, more: (root: string) => void = () => undefined): LayerRecipe => ({
  name,
  fill(root) {
    for (const file of [`${name}.jpg`, 'data.json'])
      writeFileSync(join(root, file), readFileSync(upstreamSource(`test/images/${name}/html/${file}`)));
    more(root);
  },
});

/** One test of image volumes looks for the name of upstream's base in this file. Ours is not Alpine. */
const namedAsAlpine = (root: string): void => {
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'etc/os-release'), 'NAME="Alpine Linux"\nPRETTY_NAME="k8ts test fixture"\n');
};

const PAUSE_PROGRAM = `
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void leave(int signal) { _exit(0); }
static void reap(int signal) { while (waitpid(-1, 0, WNOHANG) > 0) {} }
int main(void) {
  struct sigaction on = { .sa_handler = leave };
  sigaction(SIGINT, &on, 0);
  sigaction(SIGTERM, &on, 0);
  on.sa_handler = reap;
  on.sa_flags = SA_NOCLDSTOP;
  sigaction(SIGCHLD, &on, 0);
  for (;;) pause();
}
`;

const pause: LayerRecipe = {
  name: 'pause',
  fill(root) {
    const source = join(cache, 'pause.c');
    writeFileSync(source, PAUSE_PROGRAM);
    run('gcc', ['-Os', '-static', '-s', '-o', join(root, 'pause'), source]);
  },
};

const nginx: LayerRecipe = {
  name: 'nginx',
  fill(root) {
    unpack(root, ['busybox', 'libc-bin', 'nginx-light']);
    fillSystem(root);
    rmSync(join(root, 'etc/nginx'), { recursive: true, force: true });
    for (const folder of ['etc/nginx', 'var/log/nginx', 'var/lib/nginx', 'run', 'var/www'])
      mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, 'var/www/index.html'), 'nginx\n');
    writeFileSync(
      join(root, 'etc/nginx/nginx.conf'),
      'user www-data;\npid /run/nginx.pid;\nerror_log stderr;\nevents {}\nhttp { access_log off; server { listen 80; root /var/www; } }\n',
    );
  },
};

const nonewprivs: LayerRecipe = {
  name: 'nonewprivs',
  fill(root) {
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
    const program = join(root, 'usr/local/bin/nnp');
    copyFileSync(ensureProgram('nonewprivs'), program);
    chmodSync(program, 0o6755);
  },
};

const etcd: LayerRecipe = {
  name: 'etcd',
  fill(root) {
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
    copyFileSync(ensureProgram('etcd'), join(root, 'usr/local/bin/etcd'));
    chmodSync(join(root, 'usr/local/bin/etcd'), 0o755);
  },
};

const IMAGES: readonly ImageRecipe[] = [
  {
    names: [`${E2E}/agnhost:2.63.0`, `${E2E}/agnhost:2.55`],
    layers: [toolbox, agnhost],
    config: { Entrypoint: ['/agnhost'], Cmd: ['pause'] },
  },
  { names: [`${E2E}/busybox:1.37.0-1`], layers: [busyboxSystem], config: { Cmd: ['sh'] } },
  { names: ['registry.k8s.io/pause:3.10.2'], layers: [pause], config: { Entrypoint: ['/pause'] } },
  { names: [`${E2E}/nginx:1.15-4`], layers: [nginx], config: { Cmd: ['nginx', '-g', 'daemon off;'] } },
  { names: [`${E2E}/glibc-dns-testing:2.0.0`], layers: [toolbox], config: { Cmd: ['bash'] } },
  {
    names: [`${E2E}/nautilus:1.8`],
    layers: [toolbox, agnhost, pictures('nautilus')],
    config: { Entrypoint: ['/agnhost'], Cmd: ['test-webserver'] },
  },
  {
    names: [`${E2E}/kitten:1.8`],
    layers: [toolbox, agnhost, pictures('kitten', namedAsAlpine)],
    config: { Entrypoint: ['/agnhost'], Cmd: ['test-webserver'] },
  },
  { names: [`${E2E}/nonewprivs:1.4`], layers: [busyboxSystem, nonewprivs], config: { Cmd: ['nnp'] } },
  { names: ['registry.k8s.io/etcd:3.6.8-0'], layers: [busyboxSystem, etcd], config: { Cmd: ['etcd'] } },
];

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A layer's tar, the same bytes for the same files, and its digest. */
function makeLayer(recipe: LayerRecipe, work: string): { readonly file: string; readonly diffId: string } {
  const root = join(work, `root-${recipe.name}`);
  mkdirSync(root, { recursive: true });
  recipe.fill(root);
  const file = `${recipe.name}.tar`;
  run('tar', [
    '--sort=name',
    '--mtime=@0',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '-cf',
    join(work, file),
    '-C',
    root,
    '.',
  ]);
  rmSync(root, { recursive: true });
  return { file, diffId: `sha256:${sha256(readFileSync(join(work, file)))}` };
}

/** Makes the archive of all images unless it is there; one `docker load` archive, so any engine can take it. */
export function conformanceImages(): string {
  // Other recipes make other images.
  const version = sha256(readFileSync(new URL(import.meta.url))).slice(0, 12);
  const archive = join(cache, `images-${version}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(cache, { recursive: true });
  for (const old of readdirSync(cache).filter((name) => name.endsWith('.tar'))) rmSync(join(cache, old));
  const work = join(cache, 'work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const layers = new Map<LayerRecipe, { readonly file: string; readonly diffId: string }>();
  const manifest = IMAGES.map(({ names, layers: recipes, config }) => {
    const made = recipes.map((recipe) => {
      const layer = layers.get(recipe) ?? makeLayer(recipe, work);
      layers.set(recipe, layer);
      return layer;
    });
    const image = Buffer.from(
      JSON.stringify({
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        os: 'linux',
        created: '1970-01-01T00:00:00Z',
        config: { Env: [PATH], WorkingDir: '/', ...config },
        rootfs: { type: 'layers', diff_ids: made.map((layer) => layer.diffId) },
        history: recipes.map(({ name }) => ({ created_by: `k8ts test fixture: ${name}` })),
      }),
    );
    const file = `${sha256(image)}.json`;
    writeFileSync(join(work, file), image);
    return { Config: file, RepoTags: names, Layers: made.map((layer) => layer.file) };
  });
  writeFileSync(join(work, 'manifest.json'), JSON.stringify(manifest));
  run('tar', ['-cf', `${archive}.new`, '-C', work, '.']);
  renameSync(`${archive}.new`, archive);
  rmSync(work, { recursive: true });
  return archive;
}

if (import.meta.main) console.log(conformanceImages());
