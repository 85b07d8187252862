/** Reading the suite's JUnit file, and keeping the list of tests that pass. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ConformanceTest, Level } from './catalog.ts';

export interface TestResult {
  readonly name: string;
  readonly outcome: 'passed' | 'failed';
  readonly seconds: number;
  /** The beginning of what the suite says about the failure. */
  readonly failure: string;
}

const FAILURE_CHARACTERS = 3000;

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
const unescape = (text: string): string =>
  text
    .replaceAll(/&#x([0-9A-Fa-f]+);/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replaceAll(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name] ?? '');

/** Ginkgo writes one `<testcase>` per spec, skipped ones too; set-up nodes are not tests. */
export function parseJUnit(xml: string): readonly TestResult[] {
  const results: TestResult[] = [];
  for (const match of xml.matchAll(/<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const attributes = match[1] ?? '';
    const body = match[3] ?? '';
    const attribute = (name: string): string =>
      unescape(new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? '');
    const status = attribute('status');
    if (status === 'skipped' || !attribute('name').startsWith('[It] ')) continue;
    const failed = /<(?:failure|error)([^>]*)>([\s\S]*?)<\/(?:failure|error)>/.exec(body);
    const message = /message="([^"]+)"/.exec(failed?.[1] ?? '')?.[1];
    results.push({
      name: withoutLabels(attribute('name').slice('[It] '.length)),
      outcome: status === 'passed' ? 'passed' : 'failed',
      seconds: Number(attribute('time')),
      failure: unescape(message ?? failed?.[2] ?? '')
        .trim()
        .slice(0, FAILURE_CHARACTERS),
    });
  }
  return results;
}

/** Ginkgo appends a spec's labels in brackets after `[Conformance]`: ` [sig-node, Conformance]`. */
function withoutLabels(name: string): string {
  const end = name.lastIndexOf('[Conformance]');
  return end < 0 ? name : name.slice(0, end + '[Conformance]'.length);
}

const passingFile = fileURLToPath(new URL('passing.txt', import.meta.url));
const reportFile = fileURLToPath(new URL('../../docs/reference/conformance.md', import.meta.url));

/** Names that passed in the last kept run, sorted. */
export function readPassing(): ReadonlySet<string> {
  if (!existsSync(passingFile)) return new Set();
  return new Set(
    readFileSync(passingFile, 'utf8')
      .split('\n')
      .filter((line) => line !== ''),
  );
}

export interface Progress {
  readonly passing: ReadonlySet<string>;
  /** Passed in an earlier run and failed in this one. */
  readonly lost: readonly string[];
  readonly gained: readonly string[];
}

/** A lost test stays in the list: it must pass again. Tests that did not run keep their place. */
export function compareWithKept(kept: ReadonlySet<string>, results: readonly TestResult[]): Progress {
  const lost = results.filter((r) => r.outcome === 'failed' && kept.has(r.name)).map((r) => r.name);
  const gained = results.filter((r) => r.outcome === 'passed' && !kept.has(r.name)).map((r) => r.name);
  return { passing: new Set([...kept, ...gained]), lost, gained };
}

export function writePassing(passing: ReadonlySet<string>): void {
  writeFileSync(passingFile, `${[...passing].sort().join('\n')}\n`);
}

/** `docs/reference/conformance.md`: how many pass by area and level, and which do not. */
export function writeReport(catalog: readonly ConformanceTest[], passing: ReadonlySet<string>): void {
  const levels: readonly Level[] = ['A', 'B', 'C', 'D'];
  const cell = (tests: readonly ConformanceTest[]): string =>
    tests.length === 0 ? '' : `${tests.filter((t) => passing.has(t.name)).length} / ${tests.length}`;
  const areas = [...new Set(catalog.map((t) => t.area))].sort();
  const rows = areas.map((area) => {
    const of = catalog.filter((t) => t.area === area);
    return `| ${area} | ${levels.map((level) => cell(of.filter((t) => t.level === level))).join(' | ')} | ${cell(of)} |`;
  });
  const totals = `| **all** | ${levels.map((level) => cell(catalog.filter((t) => t.level === level))).join(' | ')} | ${cell(catalog)} |`;
  const missing = areas.flatMap((area) => {
    const names = catalog
      .filter((t) => t.area === area && !passing.has(t.name))
      .map((t) => `- ${t.level} ${t.name}`);
    return names.length === 0 ? [] : [`\n### ${area}\n`, ...names];
  });
  writeFileSync(
    reportFile,
    `# Conformance

Written by \`npm run conformance\`: upstream's own e2e.test of Kubernetes 1.36.3, run against k8ts. A test is listed
as passing once it has passed in some run (\`test/conformance/passing.txt\`). A later run in which it fails ends with
an error and leaves it listed, so that it is mended and not forgotten: the counts are not of one single run. Some
tests pass only where nodes are real, others only where there are two, which are simulated.
Level A needs an API server only, B controllers too, C a scheduler and true pod status, D real
processes.

| area | A | B | C | D | all |
|---|---|---|---|---|---|
${rows.join('\n')}
${totals}

## Not passing yet, or not run yet
${missing.join('\n')}
`,
  );
}
