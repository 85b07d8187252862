import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRequestPath, type RequestPath } from './request-path.ts';

type Row = readonly [method: string, path: string, isWatch: boolean, expected: string];

/** `verb group/version resource[/subresource] namespace name trailing`, a dash for what is absent. */
function summary(parsed: RequestPath): string {
  if (!parsed.isResource) return `${parsed.verb} ${parsed.path}`;
  const { target, verb, trailingPath } = parsed;
  const { group, version, resource, subresource, namespace = '-', name = '-' } = target;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  return `${verb} ${group}/${version} ${what} ${namespace} ${name} ${trailingPath === '' ? '-' : trailingPath}`;
}

const rows: readonly Row[] = [
  ['GET', '/api/v1/pods', false, 'list /v1 pods - - -'],
  ['GET', '/api/v1/pods', true, 'watch /v1 pods - - -'],
  ['POST', '/api/v1/pods', true, 'create /v1 pods - - -'],
  ['GET', '/api/v1/watch/pods', false, 'watch /v1 pods - - -'],
  ['GET', '/api/v1/watch/namespaces/a/pods/x', false, 'watch /v1 pods a x -'],
  ['GET', '/api/v1/namespaces/a/pods/x', true, 'get /v1 pods a x -'],
  ['GET', '/api/v1/namespaces/a/pods/x/log', false, 'get /v1 pods/log a x -'],
  ['POST', '/api/v1/namespaces/a/pods/x/exec', false, 'create /v1 pods/exec a x -'],
  [
    'GET',
    '/api/v1/namespaces/a/services/https:x:web/proxy/a/b/',
    false,
    'get /v1 services/proxy a https:x:web /a/b/',
  ],
  ['GET', '/api/v1/namespaces/a/services/x/proxy', false, 'get /v1 services/proxy a x -'],
  ['GET', '/api/v1/nodes/n/proxy/stats/summary', false, 'get /v1 nodes/proxy - n /stats/summary'],
  ['GET', '/api/v1/namespaces', false, 'list /v1 namespaces - - -'],
  ['GET', '/api/v1/namespaces/a', false, 'get /v1 namespaces a a -'],
  ['PUT', '/api/v1/namespaces/a/status', false, 'update /v1 namespaces/status a a -'],
  ['PUT', '/api/v1/namespaces/a/finalize', false, 'update /v1 namespaces/finalize a a -'],
  ['DELETE', '/apis/apps/v1/namespaces/a/deployments', false, 'deletecollection apps/v1 deployments a - -'],
  ['DELETE', '/apis/apps/v1/namespaces/a/deployments/d', false, 'delete apps/v1 deployments a d -'],
  ['PATCH', '/apis/apps/v1/namespaces/a/deployments/d/scale', false, 'patch apps/v1 deployments/scale a d -'],
  [
    'GET',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode',
    false,
    'get rbac.authorization.k8s.io/v1 clusterroles - system:node -',
  ],
  ['GET', '/apis/apps/v1', false, 'get /apis/apps/v1'],
  ['GET', '/api/v1/', false, 'get /api/v1/'],
  ['GET', '/healthz/ping', false, 'get /healthz/ping'],
  ['OPTIONS', '/api/v1/namespaces/a/pods/x/proxy/b', false, ' /v1 pods/proxy a x /b'],
  ['OPTIONS', '/healthz', false, 'options /healthz'],
];

test('a path names a resource and a verb as upstream reads it', () => {
  for (const [method, path, isWatch, expected] of rows) {
    assert.equal(summary(parseRequestPath(method, path, isWatch)), expected, `${method} ${path}`);
  }
});
