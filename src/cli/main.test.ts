import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'k8ts-cli-'));
after(() => rmSync(folder, { recursive: true }));

/** Exit code and what was printed, on a machine that has no cluster. */
function k8ts(...args: string[]): {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
} {
  const env = {
    ...process.env,
    K8TS_DATA_DIR: join(folder, 'data'),
    K8TS_RUN_DIR: join(folder, 'run'),
    KUBECONFIG: join(folder, 'kubeconfig'),
  };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', main, ...args],
    { env, encoding: 'utf8' },
  );
  return { code: status, out: stdout, err: stderr };
}

test('help and the version go to stdout and are no failure', () => {
  const help = k8ts('--help');
  assert.deepEqual([help.code, help.err], [0, '']);
  for (const command of ['up', 'start', 'down', 'status', 'kubeconfig', 'build', 'images', 'pull', 'logs']) {
    assert.match(help.out, new RegExp(`^ {2}${command} `, 'm'));
    assert.match(k8ts(command, '--help').out, new RegExp(`^Usage: k8ts ${command} `));
  }
  const version = k8ts('--version');
  assert.deepEqual([version.code, version.err], [0, '']);
  assert.match(version.out, /^\d+\.\d+\.\d+\n$/);
});

test('wrong use is told on stderr, with how it is right, and exits with 2', () => {
  const wrong: readonly (readonly [readonly string[], string])[] = [
    [['nothing'], "error: unknown command 'nothing'"],
    [['up', '--bogus'], "error: unknown option '--bogus'"],
    [['build', '-t', 'a'], "error: missing required argument 'context'"],
    [['build', '.'], "error: required option '-t, --tag <name>' not specified"],
    [['up', '--name'], "error: option '--name <name>' argument missing"],
  ];
  for (const [args, message] of wrong) {
    const { code, out, err } = k8ts(...args);
    assert.deepEqual([code, out, err.split('\n')[0]], [2, '', message], args.join(' '));
    assert.match(err, /^Usage: k8ts/m);
  }
});

test('a cluster that there is not exits with 3 and says how to make it', () => {
  const { code, out, err } = k8ts('kubeconfig', '--name', 'none');
  assert.deepEqual([code, out], [3, '']);
  assert.equal(err, 'k8ts: there is no cluster "none": make one with k8ts up --name none\n');
});
