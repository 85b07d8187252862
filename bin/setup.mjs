/**
 * Brings a bare machine to the point where k8ts can run: host packages, npm packages, Node 26.
 * Plain JavaScript for Node 20 and no imports from node_modules: this runs before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Debian packages that bring what real containers need. */
const RUN_PACKAGES = [
  'runc',
  'conmon',
  'nftables',
  'iproute2',
  'busybox-static',
  'util-linux',
  // The sample application's second language.
  'python3',
  // Node 26 is linked against it.
  'libatomic1',
];
const TEST_PACKAGES = ['etcd-server', 'curl'];

const hasProgram = (name) =>
  (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, name)));

function step(text, work) {
  const started = Date.now();
  process.stderr.write(`• ${text} …\n`);
  work();
  process.stderr.write(`  done in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

function run(program, args, options = {}) {
  const result = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    ...options,
  });
  if (result.status !== 0) {
    const output = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-15).join('\n');
    throw new Error(
      `${program} ${args.join(' ')} failed${result.error ? `: ${result.error.message}` : ''}\n${output}`,
    );
  }
}

/** Those of the packages that are not installed. */
function missingHostPackages({ forTests = false } = {}) {
  const wanted = [...RUN_PACKAGES, ...(forTests ? TEST_PACKAGES : [])];
  const query = ['-W', '-f', '${Package} ${db:Status-Status}\\n', ...wanted];
  const { stdout } = spawnSync('dpkg-query', query, { encoding: 'utf8' });
  const installed = new Set((stdout ?? '').split('\n').filter((line) => line.endsWith(' installed')));
  return wanted.filter((name) => !installed.has(`${name} installed`));
}

/** Installs what is missing where that is possible; elsewhere k8ts itself says what it goes without. */
export function ensureHostPackages(options) {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !hasProgram('apt-get')) return;
  const missing = missingHostPackages(options);
  if (missing.length === 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  step(`installing host packages: ${missing.join(' ')}`, () => {
    const install = ['install', '-y', '-qq', '--no-install-recommends', ...missing];
    run('apt-get', ['update', '-qq'], { env });
    run('apt-get', install, { env });
  });
}

/** `npm ci`, once per lock file. */
export function ensureNodeModules() {
  const digest = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.k8ts-installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  step('installing npm packages (Node 26 among them)', () => {
    // Without peer packages: the one that brings kubectl names a very large one that nothing here uses.
    run('npm', ['ci', '--ignore-scripts', '--omit=peer', '--no-audit', '--no-fund']);
    writeFileSync(stamp, digest);
  });
}

/** The Node that runs k8ts: the one from the registry, or this one where it is new enough. */
export function runtimePath() {
  const packaged = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(packaged)) return packaged;
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= 24) return process.execPath;
  throw new Error(
    `k8ts needs Node 24 or newer to run from source; this is ${process.versions.node} and no packaged Node 26 ` +
      `was installed for ${process.platform}-${process.arch}. Install a newer Node and try again.`,
  );
}

/** The processes as single files, when a source is newer than they are: see scripts/bundle.ts. */
export function ensureBundles() {
  const bundle = join(root, '.cache', 'bundle', 'agent-process.mjs');
  const bundledMs = existsSync(bundle) ? statSync(bundle).mtimeMs : 0;
  const isNewer = (path) => statSync(join(root, 'src', path)).mtimeMs > bundledMs;
  if (!readdirSync(join(root, 'src'), { recursive: true }).some(isNewer)) return;
  // Without them everything runs from the sources, only slower: no reason to stop here.
  spawnSync(runtimePath(), [join(root, 'scripts', 'bundle.ts')], { cwd: root, stdio: 'ignore' });
}
