/**
 * `npm run conformance -- [options]`: builds upstream's e2e.test, runs a part of it against a running cluster and
 * keeps score. Exit code 1 when a test that passed before fails. Writes test/conformance/passing.txt and
 * docs/reference/conformance.md.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { kubectlPath } from '../tools/kubectl.ts';
import { ensureProgram } from '../upstream/build.ts';
import { type ConformanceTest, readCatalog } from './catalog.ts';
import { startClusterForSuite } from './cluster.ts';
import {
  compareWithKept,
  parseJUnit,
  readPassing,
  type TestResult,
  writePassing,
  writeReport,
} from './report.ts';

/** A batch that takes longer is ended; what it has not finished has failed. */
const BATCH_MINUTES = 30;

interface Options {
  readonly level?: string;
  readonly focus?: string;
  readonly area?: string;
  readonly skip?: string;
  readonly kubeconfig?: string;
  readonly cluster: string;
  readonly parallel: string;
  readonly failed: boolean;
  readonly passing: boolean;
  readonly slow: boolean;
  readonly simulate: boolean;
  readonly verbose: boolean;
}

const values = new Command('conformance')
  .description("runs upstream's e2e.test against a cluster and keeps score")
  .option('--level <A,B>', 'tests of these levels (default A)')
  .option('--focus <regex>', 'tests whose name matches, of any level; with --level, both')
  .option('--area <name>', 'tests of one area')
  .option('--skip <regex>', 'not those')
  .option('--kubeconfig <file>', 'cluster to test; default: one of its own is started and removed again')
  .option('--cluster <name>', 'name of that cluster: two runs at once need two names', 'conf')
  .option('--parallel <n>', 'suite processes at once (most tests wait); tests marked Serial run alone', '3')
  .option('--failed', 'only tests that do not pass yet', false)
  .option('--passing', 'only tests that pass: nothing may be lost', false)
  .option('--slow', 'include tests marked Slow (one waits ten minutes for compaction)', false)
  .option('--simulate', 'simulated nodes: enough for levels A, B and C', false)
  .option('--verbose', "the suite's own output too", false)
  .showHelpAfterError()
  .parse()
  .opts<Options>();

function choose(catalog: readonly ConformanceTest[], kept: ReadonlySet<string>): readonly ConformanceTest[] {
  const anyLevel = values.focus !== undefined || values.area !== undefined || values.passing;
  const levels = (values.level ?? (anyLevel ? 'A,B,C,D' : 'A')).split(',');
  const focus = new RegExp(values.focus ?? '');
  return catalog.filter(
    (test) =>
      levels.includes(test.level) &&
      focus.test(test.name) &&
      (values.skip === undefined || !new RegExp(values.skip).test(test.name)) &&
      (values.area === undefined || test.area === values.area) &&
      (!values.failed || !kept.has(test.name)) &&
      (!values.passing || kept.has(test.name)) &&
      (values.slow || !test.flags.includes('Slow')),
  );
}

const escapeRegex = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Lines printed of each failure. */
const FAILURE_LINES = 12;
/** Tests of one e2e.test process. Small, so that what hangs costs little and results come in as it goes. */
const BATCH_SIZE = 8;

function batchesOf(tests: readonly ConformanceTest[], size: number): readonly (readonly ConformanceTest[])[] {
  return Array.from({ length: Math.ceil(tests.length / size) }, (_, i) =>
    tests.slice(i * size, (i + 1) * size),
  );
}

/** A test that did not report by the end of its batch has failed. */
async function runBatch(
  tests: readonly ConformanceTest[],
  kubeconfig: string,
): Promise<readonly TestResult[]> {
  const reports = mkdtempSync(join(tmpdir(), 'k8ts-conformance-'));
  try {
    const focus = tests.map((test) => escapeRegex(test.name)).join('|');
    await new Promise<void>((resolve, reject) => {
      const child = spawn(
        ensureProgram('e2e.test'),
        [
          `--kubeconfig=${kubeconfig}`,
          '--provider=skeleton',
          `--ginkgo.focus=${focus}`,
          '--ginkgo.no-color',
          `--ginkgo.timeout=${BATCH_MINUTES}m`,
          '--ginkgo.grace-period=5s',
          `--report-dir=${reports}`,
          '--disable-log-dump',
          '--allowed-not-ready-nodes=0',
        ],
        {
          stdio: values.verbose ? 'inherit' : 'ignore',
          env: { ...process.env, PATH: `${dirname(kubectlPath())}:${process.env['PATH'] ?? ''}` },
        },
      );
      child.on('error', reject);
      child.on('close', () => resolve());
    });
    const file = join(reports, 'junit_01.xml');
    const reported = existsSync(file) ? parseJUnit(readFileSync(file, 'utf8')) : [];
    const names = new Set(reported.map((result) => result.name));
    const silent = tests
      .filter((test) => !names.has(test.name))
      .map((test) => ({
        name: test.name,
        outcome: 'failed' as const,
        seconds: 0,
        failure: 'did not report',
      }));
    return [...reported, ...silent];
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

async function runSuite(
  tests: readonly ConformanceTest[],
  kubeconfig: string,
  onResults: (results: readonly TestResult[]) => void,
): Promise<void> {
  const serial = tests.filter((test) => test.flags.includes('Serial'));
  const parallel = tests.filter((test) => !test.flags.includes('Serial'));
  // The slow ones first and alone, so that nothing waits behind them.
  const queue = [
    ...batchesOf(
      parallel.filter((test) => test.flags.includes('Slow')),
      1,
    ),
    ...batchesOf(
      parallel.filter((test) => !test.flags.includes('Slow')),
      BATCH_SIZE,
    ),
  ];
  const work = async (): Promise<void> => {
    for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
      onResults(await runBatch(batch, kubeconfig));
    }
  };
  await Promise.all(Array.from({ length: Number(values.parallel) }, work));
  for (const batch of batchesOf(serial, BATCH_SIZE)) onResults(await runBatch(batch, kubeconfig));
}

const catalog = readCatalog();
const kept = readPassing();
const tests = choose(catalog, kept);
if (tests.length === 0) {
  console.error('no test matches');
  process.exit(2);
}
console.log(`${tests.length} conformance tests`);
await using cluster =
  values.kubeconfig === undefined
    ? await startClusterForSuite({ name: values.cluster, simulate: values.simulate })
    : { kubeconfig: values.kubeconfig, [Symbol.asyncDispose]: () => Promise.resolve() };
const results: TestResult[] = [];
ensureProgram('e2e.test');
await runSuite(tests, cluster.kubeconfig, (batch) => {
  results.push(...batch);
  for (const { name, outcome, seconds, failure } of batch) {
    const detail =
      outcome === 'passed' ? '' : `\n    ${failure.split('\n').slice(0, FAILURE_LINES).join('\n    ')}`;
    console.log(`${outcome === 'passed' ? '✔' : '✖'} ${name} (${seconds.toFixed(0)} s)${detail}`);
  }
  // Kept as it comes: a long run that is interrupted has not run for nothing.
  // Read anew, since another run may have added to it.
  const { passing } = compareWithKept(readPassing(), batch);
  writePassing(passing);
  writeReport(catalog, passing);
});
const { lost, gained } = compareWithKept(kept, results);
const failed = results.filter((result) => result.outcome === 'failed');
for (const name of gained) console.log(`+ ${name}`);
for (const name of lost) console.log(`LOST ${name}`);
console.log(`\n${results.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = lost.length > 0 ? 1 : 0;
