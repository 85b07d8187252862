/** Requests no client of good will sends. None may make the server answer that it is its own fault. */

export interface HostileRequest {
  readonly title: string;
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const TARGET = `${CONFIG_MAPS}/hostile`;

const post = (
  title: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = JSON_TYPE,
  path = CONFIG_MAPS,
): HostileRequest => ({ title, method: 'POST', path, headers, body });

const patch = (title: string, type: string, body: string, path = TARGET): HostileRequest => ({
  title,
  method: 'PATCH',
  path,
  headers: { 'content-type': `application/${type}` },
  body,
});

const get = (title: string, path: string, headers?: Readonly<Record<string, string>>): HostileRequest => ({
  title,
  path,
  ...(headers === undefined ? {} : { headers }),
});

const nested = (depth: number): string => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);
const nestedYaml = (depth: number): string => '['.repeat(depth);
const configMap = (rest: string): string =>
  `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"hostile-2"}${rest}}`;
const token = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const bodies: readonly HostileRequest[] = [
  post('nothing', ''),
  post('noise', Buffer.from([0xff, 0xfe, 0, 1, 2, 3])),
  post('half an object', '{"apiVersion":"v1","kind":"Conf'),
  post('null', 'null'),
  post('a number', '1'),
  post('a list', '[]'),
  post('a word', '"ConfigMap"'),
  post('an empty object', '{}'),
  post('another kind', '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}'),
  post('another version', '{"apiVersion":"v9","kind":"ConfigMap","metadata":{"name":"a"}}'),
  post('a kind that is a list', '{"apiVersion":"v1","kind":["ConfigMap"]}'),
  post('metadata that is a number', '{"apiVersion":"v1","kind":"ConfigMap","metadata":7}'),
  post('metadata that is null', '{"apiVersion":"v1","kind":"ConfigMap","metadata":null}'),
  post(
    'labels that are a list',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":[1]}}',
  ),
  post('a name that climbs', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"../../secrets"}}'),
  post('a name with a zero byte', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a\\u0000b"}}'),
  post('a name that is an object', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":{}}}'),
  post(
    'another namespace',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"kube-system"}}',
  ),
  post(
    'a generated name of 10,000 letters',
    `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"${'a'.repeat(10_000)}"}}`,
  ),
  post(
    'prototype pollution',
    configMap(',"data":{"__proto__":"x","constructor":"y"},"__proto__":{"polluted":true}'),
  ),
  post(
    'a resource version that is a word',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","resourceVersion":"new"}}',
  ),
  post(
    'managed fields that are nonsense',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"hostile-mf","managedFields":[{"fieldsV1":{"f:x":{"k:{":7}}}]}}',
  ),
  post(
    'an owner that is half',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","ownerReferences":[{}]}}',
  ),
  post(
    'a time that is none',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","creationTimestamp":"yesterday"}}',
  ),
  post('objects 100,000 deep', nested(100_000)),
  post('objects 5,000 deep in a field', configMap(`,"data":${nested(5000)}`)),
  post('lists 100,000 deep in YAML', nestedYaml(100_000), { 'content-type': 'application/yaml' }),
  post(
    'YAML that grows',
    [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghij'
        .split('')
        .map((c, i) => `${c}: &${c} [${Array(9).fill(`*${'abcdefghij'[i]}`).join(',')}]`),
    ].join('\n'),
    { 'content-type': 'application/yaml' },
  ),
  post('a number beyond all bounds', configMap(',"immutable":1e999')),
  post('more than three mebibytes', configMap(`,"data":{"a":"${'a'.repeat(4 * 1024 * 1024)}"}`)),
  post('protobuf that is none', 'k8s\u0000garbage', {
    'content-type': 'application/vnd.kubernetes.protobuf',
  }),
  post('protobuf of nothing', Buffer.from('k8s\0'), {
    'content-type': 'application/vnd.kubernetes.protobuf',
  }),
  post('protobuf with a length beyond its end', Buffer.from('k8s\0\x0a\xff\xff\xff\xff\x0f', 'latin1'), {
    'content-type': 'application/vnd.kubernetes.protobuf',
  }),
  post('CBOR', Buffer.from([0xd9, 0xd9, 0xf7, 0xa1]), { 'content-type': 'application/cbor' }),
  post('a picture', 'GIF89a', { 'content-type': 'image/gif' }),
  post('a type that is none', '{}', { 'content-type': ';;;' }),
  post('no type', configMap(''), {}),
  post('gzip that is none', '{}', { ...JSON_TYPE, 'content-encoding': 'gzip' }),
  post(
    'a pod of nulls',
    '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[null],"volumes":[null],"tolerations":null}}',
    JSON_TYPE,
    '/api/v1/namespaces/default/pods',
  ),
  post(
    'a pod whose spec is null',
    '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":null}',
    JSON_TYPE,
    '/api/v1/namespaces/default/pods',
  ),
  post(
    'a Deployment without a spec',
    '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"}}',
    JSON_TYPE,
    '/apis/apps/v1/namespaces/default/deployments',
  ),
  post(
    'a Deployment without a selector',
    '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"},"spec":{"template":{}}}',
    JSON_TYPE,
    '/apis/apps/v1/namespaces/default/deployments',
  ),
  post(
    'a binding to nothing',
    '{"apiVersion":"v1","kind":"Binding","metadata":{"name":"a"}}',
    JSON_TYPE,
    '/api/v1/namespaces/default/pods/nobody/binding',
  ),
  post(
    'an eviction of nobody',
    '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"nobody"}}',
    JSON_TYPE,
    '/api/v1/namespaces/default/pods/nobody/eviction',
  ),
  post(
    'a review of nothing',
    '{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{}}',
    JSON_TYPE,
    '/apis/authorization.k8s.io/v1/subjectaccessreviews',
  ),
];

/** One built-in kind after another, with only a name. */
export const emptyObjectKinds: readonly (readonly [path: string, apiVersion: string, kind: string])[] = [
  ['/api/v1/namespaces', 'v1', 'Namespace'],
  ['/api/v1/nodes', 'v1', 'Node'],
  ['/api/v1/persistentvolumes', 'v1', 'PersistentVolume'],
  ...(
    [
      'ConfigMap',
      'Endpoints',
      'Event',
      'LimitRange',
      'PersistentVolumeClaim',
      'Pod',
      'PodTemplate',
      'ReplicationController',
      'ResourceQuota',
      'Secret',
      'Service',
      'ServiceAccount',
    ] as const
  ).map((kind) => [`/api/v1/namespaces/default/${plural(kind)}`, 'v1', kind] as const),
  ...(['ControllerRevision', 'DaemonSet', 'Deployment', 'ReplicaSet', 'StatefulSet'] as const).map(
    (kind) => [`/apis/apps/v1/namespaces/default/${plural(kind)}`, 'apps/v1', kind] as const,
  ),
  ...(['CronJob', 'Job'] as const).map(
    (kind) => [`/apis/batch/v1/namespaces/default/${plural(kind)}`, 'batch/v1', kind] as const,
  ),
  ...(['Ingress', 'NetworkPolicy'] as const).map(
    (kind) =>
      [
        `/apis/networking.k8s.io/v1/namespaces/default/${plural(kind)}`,
        'networking.k8s.io/v1',
        kind,
      ] as const,
  ),
  ...(['Role', 'RoleBinding'] as const).map(
    (kind) =>
      [
        `/apis/rbac.authorization.k8s.io/v1/namespaces/default/${plural(kind)}`,
        'rbac.authorization.k8s.io/v1',
        kind,
      ] as const,
  ),
  ['/apis/rbac.authorization.k8s.io/v1/clusterroles', 'rbac.authorization.k8s.io/v1', 'ClusterRole'],
  [
    '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
    'rbac.authorization.k8s.io/v1',
    'ClusterRoleBinding',
  ],
  ['/apis/networking.k8s.io/v1/ingressclasses', 'networking.k8s.io/v1', 'IngressClass'],
  ['/apis/policy/v1/namespaces/default/poddisruptionbudgets', 'policy/v1', 'PodDisruptionBudget'],
  [
    '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers',
    'autoscaling/v2',
    'HorizontalPodAutoscaler',
  ],
  ['/apis/storage.k8s.io/v1/storageclasses', 'storage.k8s.io/v1', 'StorageClass'],
  ['/apis/storage.k8s.io/v1/csidrivers', 'storage.k8s.io/v1', 'CSIDriver'],
  ['/apis/storage.k8s.io/v1/csinodes', 'storage.k8s.io/v1', 'CSINode'],
  ['/apis/storage.k8s.io/v1/volumeattachments', 'storage.k8s.io/v1', 'VolumeAttachment'],
  ['/apis/scheduling.k8s.io/v1/priorityclasses', 'scheduling.k8s.io/v1', 'PriorityClass'],
  ['/apis/node.k8s.io/v1/runtimeclasses', 'node.k8s.io/v1', 'RuntimeClass'],
  ['/apis/coordination.k8s.io/v1/namespaces/default/leases', 'coordination.k8s.io/v1', 'Lease'],
  ['/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', 'discovery.k8s.io/v1', 'EndpointSlice'],
  ['/apis/events.k8s.io/v1/namespaces/default/events', 'events.k8s.io/v1', 'Event'],
  [
    '/apis/certificates.k8s.io/v1/certificatesigningrequests',
    'certificates.k8s.io/v1',
    'CertificateSigningRequest',
  ],
  ['/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas', 'flowcontrol.apiserver.k8s.io/v1', 'FlowSchema'],
  [
    '/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations',
    'flowcontrol.apiserver.k8s.io/v1',
    'PriorityLevelConfiguration',
  ],
  [
    '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
    'admissionregistration.k8s.io/v1',
    'MutatingWebhookConfiguration',
  ],
  [
    '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
    'admissionregistration.k8s.io/v1',
    'ValidatingAdmissionPolicy',
  ],
  [
    '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings',
    'admissionregistration.k8s.io/v1',
    'ValidatingAdmissionPolicyBinding',
  ],
  [
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
  ],
  ['/apis/apiregistration.k8s.io/v1/apiservices', 'apiregistration.k8s.io/v1', 'APIService'],
  ['/apis/authentication.k8s.io/v1/tokenreviews', 'authentication.k8s.io/v1', 'TokenReview'],
  [
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    'authorization.k8s.io/v1',
    'SelfSubjectAccessReview',
  ],
  [
    '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
    'authorization.k8s.io/v1',
    'SelfSubjectRulesReview',
  ],
];

function plural(kind: string): string {
  const lower = kind.toLowerCase();
  if (lower === 'endpoints') return lower;
  if (/(?:s|ss)$/.test(lower)) return `${lower}es`;
  return lower.endsWith('y') ? `${lower.slice(0, -1)}ies` : `${lower}s`;
}

const empty: readonly HostileRequest[] = emptyObjectKinds.flatMap(([path, apiVersion, kind]) => [
  post(
    `a ${kind} of nothing but a name`,
    JSON.stringify({ apiVersion, kind, metadata: { name: 'empty' } }),
    JSON_TYPE,
    `${path}?dryRun=All`,
  ),
  post(
    `a ${kind} whose spec is empty`,
    JSON.stringify({ apiVersion, kind, metadata: { name: 'empty' }, spec: {} }),
    JSON_TYPE,
    `${path}?dryRun=All`,
  ),
  post(
    `a ${kind} whose spec is a list`,
    JSON.stringify({ apiVersion, kind, metadata: { name: 'empty' }, spec: [] }),
    JSON_TYPE,
    `${path}?dryRun=All`,
  ),
]);

const patches: readonly HostileRequest[] = [
  patch('a patch of no type', 'json', '{}'),
  patch('a JSON patch that is an object', 'json-patch+json', '{}'),
  patch('a JSON patch of unknown operations', 'json-patch+json', '[{"op":"explode","path":"/"}]'),
  patch('a JSON patch without a path', 'json-patch+json', '[{"op":"add","value":1}]'),
  patch('a JSON patch with a broken pointer', 'json-patch+json', '[{"op":"add","path":"data~","value":1}]'),
  patch(
    'a JSON patch of the prototype',
    'json-patch+json',
    '[{"op":"add","path":"/__proto__/polluted","value":true}]',
  ),
  patch('a JSON patch of the whole', 'json-patch+json', '[{"op":"replace","path":"","value":null}]'),
  patch(
    'a JSON patch with 20,000 operations',
    'json-patch+json',
    JSON.stringify(Array.from({ length: 20_000 }, () => ({ op: 'test', path: '/kind', value: 'ConfigMap' }))),
  ),
  patch(
    'a JSON patch that doubles',
    'json-patch+json',
    JSON.stringify([
      { op: 'add', path: '/data', value: { a: 'aaaa' } },
      ...Array.from({ length: 40 }, () => ({ op: 'copy', from: '/data', path: '/data/x' })),
    ]),
  ),
  patch('a merge patch that is null', 'merge-patch+json', 'null'),
  patch('a merge patch that is a list', 'merge-patch+json', '[1]'),
  patch(
    'a merge patch that removes everything',
    'merge-patch+json',
    '{"metadata":null,"kind":null,"apiVersion":null}',
  ),
  patch('a merge patch 10,000 deep', 'merge-patch+json', nested(10_000)),
  patch('a strategic patch that is a list', 'strategic-merge-patch+json', '[]'),
  patch(
    'a strategic patch with an unknown directive',
    'strategic-merge-patch+json',
    '{"data":{"$patch":"explode"}}',
  ),
  patch(
    'a strategic patch with a broken list directive',
    'strategic-merge-patch+json',
    '{"metadata":{"$setElementOrder/finalizers":7,"finalizers":["a/b"]}}',
  ),
  patch('an apply without a manager', 'apply-patch+yaml', 'apiVersion: v1\nkind: ConfigMap\n'),
  patch(
    'an apply of another name',
    'apply-patch+yaml',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n',
    `${TARGET}?fieldManager=a`,
  ),
  patch('an apply that is a list', 'apply-patch+yaml', '- a\n', `${TARGET}?fieldManager=a`),
  patch('an apply of nothing', 'apply-patch+yaml', '', `${TARGET}?fieldManager=a`),
  patch(
    'an apply by a manager of 1,000 letters',
    'apply-patch+yaml',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hostile}\n',
    `${TARGET}?fieldManager=${'a'.repeat(1000)}`,
  ),
];

const queries: readonly HostileRequest[] = [
  get('a limit that is a word', `${CONFIG_MAPS}?limit=many`),
  get('a limit below zero', `${CONFIG_MAPS}?limit=-1`),
  get('a limit beyond all numbers', `${CONFIG_MAPS}?limit=99999999999999999999`),
  get('a continue token of noise', `${CONFIG_MAPS}?continue=%ff%fe`),
  get('a continue token that is not base64', `${CONFIG_MAPS}?continue=!!!`),
  get(
    'a continue token of another version',
    `${CONFIG_MAPS}?continue=${token({ v: 'meta.k8s.io/v9', rv: 1, start: 'a' })}`,
  ),
  get(
    'a continue token that climbs',
    `${CONFIG_MAPS}?continue=${token({ v: 'meta.k8s.io/v1', rv: 1, start: '../../secrets/' })}`,
  ),
  get('a continue token of null', `${CONFIG_MAPS}?continue=${token(null)}`),
  get(
    'a continue token of the far future',
    `${CONFIG_MAPS}?continue=${token({ v: 'meta.k8s.io/v1', rv: 999_999_999_999, start: 'a' })}`,
  ),
  get('a label selector that is broken', `${CONFIG_MAPS}?labelSelector=a%20in%20(`),
  get('a label selector of 100,000 letters', `${CONFIG_MAPS}?labelSelector=${'a'.repeat(10_000)}`),
  get('a field selector that is broken', `${CONFIG_MAPS}?fieldSelector=a`),
  get('a field selector of an unknown field', `${CONFIG_MAPS}?fieldSelector=a.b.c%3Dd`),
  get('a resource version that is a word', `${CONFIG_MAPS}?resourceVersion=new`),
  get('a resource version below zero', `${CONFIG_MAPS}?resourceVersion=-5`),
  get('a match without a version', `${CONFIG_MAPS}?resourceVersionMatch=Exact`),
  get('an unknown match', `${CONFIG_MAPS}?resourceVersion=1&resourceVersionMatch=Roughly`),
  get('initial events without a watch', `${CONFIG_MAPS}?sendInitialEvents=true`),
  get('a watch from a word', `${CONFIG_MAPS}?watch=1&resourceVersion=new`),
  get('a watch with a broken timeout', `${CONFIG_MAPS}?watch=1&timeoutSeconds=soon`),
  get('a watch that is a word', `${CONFIG_MAPS}?watch=maybe&timeoutSeconds=1`),
  get('broken percent signs', `${CONFIG_MAPS}?labelSelector=%zz`),
  get('broken percent signs in the path', '/api/v1/namespaces/%zz/pods'),
  get('a path that climbs', '/api/v1/namespaces/default/../../../../etc/passwd'),
  get('a path that climbs, encoded', '/api/v1/namespaces/default/pods/..%2f..%2fsecrets'),
  get('a path with two slashes', '//api//v1//pods'),
  get('a path with a zero byte', '/api/v1/namespaces/default/pods/a%00b'),
  get('a path of 20,000 letters', `/api/v1/namespaces/default/pods/${'a'.repeat(6000)}`),
  get('prototype names for a group', '/apis/__proto__/constructor/toString'),
  get('prototype names for a resource', '/api/v1/namespaces/default/__proto__'),
  get('prototype names for a subresource', '/api/v1/namespaces/default/pods/a/constructor'),
  get('an answer nobody can give', CONFIG_MAPS, { accept: 'image/gif' }),
  get('an answer of nonsense', CONFIG_MAPS, { accept: ';;;,,,q=x' }),
  get('a table of an unknown version', CONFIG_MAPS, {
    accept: 'application/json;as=Table;v=v9;g=meta.k8s.io',
  }),
  get('an impersonated nobody', CONFIG_MAPS, { 'impersonate-user': '' }),
  get('an impersonated group alone', CONFIG_MAPS, { 'impersonate-group': 'system:masters' }),
  get(
    'logs of nobody with broken options',
    '/api/v1/namespaces/default/pods/nobody/log?tailLines=-1&sinceTime=x',
  ),
  get('a proxy to nobody', '/api/v1/namespaces/default/pods/nobody:99999/proxy/'),
  { title: 'an unknown method', method: 'PROPFIND', path: CONFIG_MAPS },
  { title: 'a POST to an object', method: 'POST', path: TARGET, headers: JSON_TYPE, body: configMap('') },
  {
    title: 'a PUT to a collection',
    method: 'PUT',
    path: CONFIG_MAPS,
    headers: JSON_TYPE,
    body: configMap(''),
  },
  { title: 'a PUT of another name', method: 'PUT', path: TARGET, headers: JSON_TYPE, body: configMap('') },
  {
    title: 'a PUT with another uid',
    method: 'PUT',
    path: TARGET,
    headers: JSON_TYPE,
    body: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"hostile","uid":"1"}}',
  },
  {
    title: 'a PUT from an old version',
    method: 'PUT',
    path: TARGET,
    headers: JSON_TYPE,
    body: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"hostile","resourceVersion":"1"}}',
  },
  {
    title: 'a DELETE with broken options',
    method: 'DELETE',
    path: TARGET,
    headers: JSON_TYPE,
    body: '{"gracePeriodSeconds":"soon"}',
  },
  { title: 'a DELETE with an unknown policy', method: 'DELETE', path: `${TARGET}?propagationPolicy=Explode` },
  {
    title: 'a DELETE with options of another kind',
    method: 'DELETE',
    path: TARGET,
    headers: JSON_TYPE,
    body: '{"apiVersion":"v1","kind":"Pod"}',
  },
  {
    title: 'a DELETE with another uid',
    method: 'DELETE',
    path: TARGET,
    headers: JSON_TYPE,
    body: '{"preconditions":{"uid":"1"}}',
  },
  {
    title: 'a dry run of some',
    method: 'POST',
    path: `${CONFIG_MAPS}?dryRun=Some`,
    headers: JSON_TYPE,
    body: configMap(''),
  },
  {
    title: 'an unknown field validation',
    method: 'POST',
    path: `${CONFIG_MAPS}?fieldValidation=Harsh`,
    headers: JSON_TYPE,
    body: configMap(''),
  },
  {
    title: 'an upgrade to nothing',
    path: '/api/v1/namespaces/default/pods/nobody/exec?command=a',
    headers: { connection: 'upgrade', upgrade: 'chess' },
  },
];

export const hostileRequests: readonly HostileRequest[] = [...bodies, ...patches, ...queries, ...empty];
