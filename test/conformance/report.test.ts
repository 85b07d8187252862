import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareWithKept, parseJUnit } from './report.ts';

const xml = `<testsuites><testsuite>
<testcase name="[It] [sig-node] Lease lease API should be available [Conformance] [sig-node, Conformance]" classname="k" status="passed" time="2.5"><system-err>x</system-err></testcase>
<testcase name="[It] [sig-a] is &lt;strict&gt; [Conformance]" status="failed" time="1"><failure message="want &#34;a&#34;" type="failed">trace</failure></testcase>
<testcase name="[It] [sig-b] other [Conformance]" status="skipped" time="0"><skipped message="skipped"></skipped></testcase>
<testcase name="[SynchronizedBeforeSuite]" status="passed" time="0.1"/>
</testsuite></testsuites>`;

test('only specs that ran are results, named without their labels', () => {
  assert.deepEqual(parseJUnit(xml), [
    {
      name: '[sig-node] Lease lease API should be available [Conformance]',
      outcome: 'passed',
      seconds: 2.5,
      failure: '',
    },
    { name: '[sig-a] is <strict> [Conformance]', outcome: 'failed', seconds: 1, failure: 'want "a"' },
  ]);
});

test('a failure without a message tells its details', () => {
  const [result] = parseJUnit(
    '<testcase name="[It] x [Conformance]" status="failed" time="1"><failure message="" type="failed"> at &lt;line&gt; 3 </failure></testcase>',
  );
  assert.equal(result?.failure, 'at <line> 3');
});

test('a test that passed before and fails now is lost and stays in the list', () => {
  const kept = new Set(['[sig-a] is <strict> [Conformance]', 'not run']);
  const progress = compareWithKept(kept, parseJUnit(xml));
  assert.deepEqual(progress.lost, ['[sig-a] is <strict> [Conformance]']);
  assert.deepEqual(progress.gained, ['[sig-node] Lease lease API should be available [Conformance]']);
  assert.equal(progress.passing.size, 3);
});
