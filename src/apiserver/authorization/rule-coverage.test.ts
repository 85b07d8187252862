import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeRules, uncoveredRules } from './rule-coverage.ts';

const pods = (verbs: string[], extra: object = {}) => ({
  verbs,
  apiGroups: [''],
  resources: ['pods'],
  ...extra,
});

test('a rule is covered by several that cover its parts', () => {
  assert.deepEqual(uncoveredRules([pods(['get']), pods(['list'])], [pods(['get', 'list'])]), []);
});

test('what is missing is told in its smallest parts', () => {
  assert.deepEqual(uncoveredRules([pods(['get'])], [pods(['get', 'list', 'watch'])]), [
    pods(['list']),
    pods(['watch']),
  ]);
});

test('a rule for named objects does not cover all of them, but the other way round', () => {
  const named = pods(['get'], { resourceNames: ['a'] });
  assert.equal(uncoveredRules([named], [pods(['get'])]).length, 1);
  assert.equal(uncoveredRules([pods(['get'])], [named]).length, 0);
});

test('stars cover everything of their place, a subresource star only subresources', () => {
  const everything = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
  assert.deepEqual(uncoveredRules([everything], [pods(['get'], { resources: ['pods/log'] })]), []);
  const scale = { verbs: ['get'], apiGroups: ['*'], resources: ['*/scale'] };
  assert.deepEqual(uncoveredRules([scale], [pods(['get'], { resources: ['deployments/scale'] })]), []);
  assert.equal(uncoveredRules([scale], [pods(['get'])]).length, 1);
  assert.equal(uncoveredRules([pods(['get'])], [everything]).length, 1);
});

test('a path pattern covers narrower patterns', () => {
  const path = (url: string) => ({ verbs: ['get'], nonResourceURLs: [url] });
  assert.deepEqual(uncoveredRules([path('/api/*')], [path('/api/v1'), path('/api/v1/*')]), []);
  assert.equal(uncoveredRules([path('/api/v1')], [path('/api/*')]).length, 1);
});

test('missing rights read as upstream prints them: verbs of one target joined, lines sorted', () => {
  const missing = uncoveredRules(
    [],
    [pods(['list', 'get']), { verbs: ['create'], apiGroups: ['apps'], resources: ['deployments'] }],
  );
  assert.equal(
    describeRules(missing),
    '{APIGroups:[""], Resources:["pods"], Verbs:["list" "get"]}\n' +
      '{APIGroups:["apps"], Resources:["deployments"], Verbs:["create"]}',
  );
});
