/**
 * `npm run conformance -- [options]`: builds upstream's e2e.test, runs a part of it against a running cluster and
 * keeps score.
 *
 *   --level A,B      tests of these levels (default A)
 *   --focus REGEX    tests whose name matches, of any level; with --level, both
 *   --area NAME      tests of one area
 *   --kubeconfig F   cluster to test; default: one of its own is started and removed again
 *   --failed         only tests that do not pass yet
 *   --passing        only tests that pass: nothing may be lost
 *   --simulate       simulated nodes: enough for levels A, B and C
 *   --slow           include tests marked Slow (one waits ten minutes for compaction)
 *
 * Exit code 1 when a test that passed before fails. Writes test/conformance/passing.txt and
 * docs/reference/conformance.md.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
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

const { values } = parseArgs({
  options: {
    level: { type: 'string' },
    focus: { type: 'string' },
    area: { type: 'string' },
    kubeconfig: { type: 'string' },
    failed: { type: 'boolean', default: false },
    passing: { type: 'boolean', default: false },
    slow: { type: 'boolean', default: false },
    simulate: { type: 'boolean', default: false },
  },
});

function choose(catalog: readonly ConformanceTest[], kept: ReadonlySet<string>): readonly ConformanceTest[] {
  const anyLevel = values.focus !== undefined || values.area !== undefined || values.passing;
  const levels = (values.level ?? (anyLevel ? 'A,B,C,D' : 'A')).split(',');
  const focus = new RegExp(values.focus ?? '');
  return catalog.filter(
    (test) =>
      levels.includes(test.level) &&
      focus.test(test.name) &&
      (values.area === undefined || test.area === values.area) &&
      (!values.failed || !kept.has(test.name)) &&
      (!values.passing || kept.has(test.name)) &&
      (values.slow || !test.flags.includes('Slow')),
  );
}

const escapeRegex = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

async function runSuite(
  tests: readonly ConformanceTest[],
  kubeconfig: string,
): Promise<readonly TestResult[]> {
  const program = ensureProgram('e2e.test');
  const reports = mkdtempSync(join(tmpdir(), 'k8ts-conformance-'));
  try {
    const focus = tests.map((test) => escapeRegex(test.name)).join('|');
    await new Promise<void>((resolve, reject) => {
      const child = spawn(
        program,
        [
          `--kubeconfig=${kubeconfig}`,
          '--provider=skeleton',
          `--ginkgo.focus=${focus}`,
          '--ginkgo.no-color',
          '--ginkgo.timeout=6h',
          `--report-dir=${reports}`,
          '--disable-log-dump',
          '--allowed-not-ready-nodes=0',
        ],
        {
          stdio: 'inherit',
          env: { ...process.env, PATH: `${dirname(kubectlPath())}:${process.env['PATH'] ?? ''}` },
        },
      );
      child.on('error', reject);
      child.on('close', () => resolve());
    });
    return parseJUnit(readFileSync(join(reports, 'junit_01.xml'), 'utf8'));
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
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
    ? await startClusterForSuite({ simulate: values.simulate })
    : { kubeconfig: values.kubeconfig, [Symbol.asyncDispose]: () => Promise.resolve() };
const results = await runSuite(tests, cluster.kubeconfig);
const { passing, lost, gained } = compareWithKept(kept, results);
writePassing(passing);
writeReport(catalog, passing);
const failed = results.filter((result) => result.outcome === 'failed');
writeFileSync(
  join(tmpdir(), 'k8ts-conformance-failures.txt'),
  failed.map((result) => `${result.name}\n    ${result.failure.replaceAll('\n', '\n    ')}\n`).join('\n'),
);
for (const result of failed)
  console.log(`✖ ${result.name}\n    ${result.failure.split('\n').slice(0, 4).join('\n    ')}`);
for (const name of gained) console.log(`+ ${name}`);
for (const name of lost) console.log(`LOST ${name}`);
console.log(`\n${results.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = lost.length > 0 ? 1 : 0;
