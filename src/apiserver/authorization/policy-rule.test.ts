import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuthorizationAttributes } from './authorizer.ts';
import { ruleAllows } from './policy-rule.ts';

const user = { name: 'jane', groups: [] };
const ask = (attributes: Partial<AuthorizationAttributes>): AuthorizationAttributes => ({
  user,
  verb: 'get',
  ...(attributes.path === undefined ? { group: '', resource: 'pods' } : {}),
  ...attributes,
});
const rule = (resources: string[], extra: object = {}) => ({
  verbs: ['get', 'list'],
  apiGroups: [''],
  resources,
  ...extra,
});

test('a rule allows its verbs on its resources in its groups and nothing else', () => {
  assert.equal(ruleAllows(rule(['pods']), ask({})), true);
  assert.equal(ruleAllows(rule(['pods']), ask({ verb: 'delete' })), false);
  assert.equal(ruleAllows(rule(['pods']), ask({ resource: 'secrets' })), false);
  assert.equal(ruleAllows(rule(['pods']), ask({ group: 'apps' })), false);
});

test('a star matches every verb, group and resource, subresources included', () => {
  const all = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
  assert.equal(ruleAllows(all, ask({ verb: 'x', group: 'a.b', resource: 'c', subresource: 'd' })), true);
});

test('a resource does not include its subresources', () => {
  assert.equal(ruleAllows(rule(['pods']), ask({ subresource: 'log' })), false);
  assert.equal(ruleAllows(rule(['pods/log']), ask({ subresource: 'log' })), true);
  assert.equal(ruleAllows(rule(['pods/log']), ask({})), false);
});

test('a star before the slash matches a subresource of every resource', () => {
  assert.equal(ruleAllows(rule(['*/scale']), ask({ subresource: 'scale' })), true);
  assert.equal(ruleAllows(rule(['*/scale']), ask({ subresource: 'status' })), false);
  assert.equal(ruleAllows(rule(['*/scale']), ask({})), false);
});

test('a star after the slash means nothing special, as upstream', () => {
  assert.equal(ruleAllows(rule(['pods/*']), ask({ subresource: 'log' })), false);
});

test('names restrict a rule to requests that name one of them', () => {
  const named = rule(['pods'], { resourceNames: ['a', 'b'] });
  assert.equal(ruleAllows(named, ask({ name: 'b' })), true);
  assert.equal(ruleAllows(named, ask({ name: 'c' })), false);
  assert.equal(ruleAllows(named, ask({ verb: 'list' })), false);
});

test('paths match exactly, or by a star at the end', () => {
  const paths = { verbs: ['get'], nonResourceURLs: ['/version', '/api/*'] };
  assert.equal(ruleAllows(paths, ask({ path: '/version' })), true);
  assert.equal(ruleAllows(paths, ask({ path: '/version/' })), false);
  assert.equal(ruleAllows(paths, ask({ path: '/api/v1' })), true);
  assert.equal(ruleAllows(paths, ask({ path: '/apis' })), false);
  assert.equal(ruleAllows({ verbs: ['get'], nonResourceURLs: ['*'] }, ask({ path: '/x' })), true);
});

test('rules for resources say nothing about paths, and the other way round', () => {
  assert.equal(ruleAllows({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, ask({ path: '/x' })), false);
  assert.equal(ruleAllows({ verbs: ['*'], nonResourceURLs: ['*'] }, ask({})), false);
});
