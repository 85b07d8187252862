/** What `npm start`, `npm test` and the other npm commands call: set up what is missing, then run it on Node 26. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureBundles, ensureHostPackages, ensureNodeModules, root, runtimePath } from './setup.mjs';

const COMMANDS = {
  start: { script: 'src/cli/main.ts', args: ['start'], host: {}, bundles: true },
  test: { script: 'scripts/test.ts', args: [], host: { forTests: true } },
  check: { script: 'scripts/check.ts', args: [] },
  bench: { script: 'bench/run.ts', args: [], host: { forTests: true }, bundles: true },
  conformance: { script: 'test/conformance/run.ts', args: [], host: { forTests: true } },
};

const [name = '', ...rest] = process.argv.slice(2);
const command = COMMANDS[name];
if (command === undefined) {
  process.stderr.write(`usage: node bin/bootstrap.mjs ${Object.keys(COMMANDS).join('|')}\n`);
  process.exit(2);
}
try {
  // Host packages first: once npm's are there, `node` in an npm script is Node 26, which needs one of them.
  if (command.host !== undefined) ensureHostPackages(command.host);
  ensureNodeModules();
  if (command.bundles === true) ensureBundles();
  const result = spawnSync(
    runtimePath(),
    ['--disable-warning=ExperimentalWarning', join(root, command.script), ...command.args, ...rest],
    { stdio: 'inherit', cwd: name === 'start' ? process.cwd() : root },
  );
  process.exitCode = result.status ?? 130;
} catch (e) {
  process.stderr.write(`k8ts: ${e.message}\n`);
  process.exitCode = 1;
}
