import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forbiddenError, forbiddenMessage } from './forbidden.ts';

const user = { name: 'jane', groups: [] };

test('a refusal says who may not do what to which resource, and where', () => {
  const pods = { user, verb: 'list', group: '', resource: 'pods' };
  assert.equal(
    forbiddenMessage({ ...pods, namespace: 'default' }),
    'User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
  );
  assert.equal(
    forbiddenMessage({ user, verb: 'get', group: 'apps', resource: 'deployments', subresource: 'scale' }),
    'User "jane" cannot get resource "deployments/scale" in API group "apps" at the cluster scope',
  );
  assert.equal(
    forbiddenMessage({ user, verb: 'get', path: '/metrics' }),
    'User "jane" cannot get path "/metrics"',
  );
});

test('the Status names group, resource and object, and ends with the authorizers’ reason', () => {
  const error = forbiddenError(
    { user, verb: 'get', group: 'apps', resource: 'deployments', name: 'web', namespace: 'x' },
    'RBAC: nope',
  );
  assert.equal(error.code, 403);
  assert.equal(
    error.message,
    'deployments.apps "web" is forbidden: User "jane" cannot get resource "deployments" in API group "apps" in the namespace "x": RBAC: nope',
  );
  assert.deepEqual(error.details, { name: 'web', group: 'apps', kind: 'deployments' });
});

test('a path is refused without a resource in front, and markup cannot get through', () => {
  assert.equal(
    forbiddenError({ user: { name: '<b>', groups: [] }, verb: 'get', path: '/x' }, '').message,
    'forbidden: User "&lt;b&gt;" cannot get path "/x"',
  );
});
