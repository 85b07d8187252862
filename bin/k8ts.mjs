#!/usr/bin/env node
/** The `k8ts` command: runs `src/cli` on the packaged Node, whatever Node started this. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureHostPackages, ensureNodeModules, root, runtimePath } from './setup.mjs';

const args = process.argv.slice(2);
try {
  if (args[0] === 'up' || args[0] === 'start') ensureHostPackages();
  ensureNodeModules();
  const child = spawn(
    runtimePath(),
    ['--disable-warning=ExperimentalWarning', join(root, 'src/cli/main.ts'), ...args],
    {
      stdio: 'inherit',
    },
  );
  // The terminal sends Ctrl-C to the whole group; the child decides when it is finished.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT') child.kill(signal);
    });
  }
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
  });
} catch (e) {
  process.stderr.write(`k8ts: ${e.message}\n`);
  process.exitCode = 1;
}
