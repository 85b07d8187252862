/**
 * `npm test`: the checks, then every suite, each in its own `node --test`; ends with the sum as
 * `N passed, N failed` alone on a line. Suites: `npm test -- unit e2e` runs only those named.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runChecks } from './check.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Suite {
  readonly name: string;
  readonly files: readonly string[];
  /** Suites that share the host (a real cluster) run one file at a time. */
  readonly concurrency: number;
}

const suites: readonly Suite[] = [
  {
    name: 'unit',
    files: globSync(['src/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/**/*.test.ts'], { cwd: root }),
    concurrency: 2,
  },
  { name: 'simulation', files: globSync('test/simulation/**/*.test.ts', { cwd: root }), concurrency: 2 },
  { name: 'e2e', files: globSync('test/e2e/**/*.test.ts', { cwd: root }).sort(), concurrency: 1 },
];

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** Runs one suite, passing its output through; reads the totals from the runner's closing lines. */
function runSuite(suite: Suite, totals: Totals): Promise<void> {
  return new Promise((resolve) => {
    const args = [
      '--disable-warning=ExperimentalWarning',
      '--test',
      `--test-concurrency=${suite.concurrency}`,
      '--test-reporter=spec',
      ...suite.files,
    ];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    const counts: Record<string, number> = {};
    let rest = '';
    child.stdout.on('data', (chunk: Buffer) => {
      process.stdout.write(chunk);
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const match = /^ℹ (pass|fail|cancelled|skipped) (\d+)$/.exec(line);
        if (match?.[1] !== undefined) counts[match[1]] = Number(match[2]);
      }
    });
    child.on('close', (code) => {
      const failed = (counts['fail'] ?? 0) + (counts['cancelled'] ?? 0);
      totals.passed += counts['pass'] ?? 0;
      totals.skipped += counts['skipped'] ?? 0;
      // A runner that died before it could count is a failure too.
      totals.failed += code !== 0 && failed === 0 ? 1 : failed;
      resolve();
    });
  });
}

const asked = process.argv.slice(2);
const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
if (asked.length === 0 || asked.includes('check')) {
  const checks = runChecks();
  totals.passed += checks.passed;
  totals.failed += checks.failed;
}
for (const suite of suites) {
  if ((asked.length > 0 && !asked.includes(suite.name)) || suite.files.length === 0) continue;
  console.log(`\n── ${suite.name}: ${suite.files.length} files`);
  await runSuite(suite, totals);
}
if (totals.skipped > 0) console.log(`\n${totals.skipped} skipped; each names its reason above`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed === 0 ? 0 : 1;
