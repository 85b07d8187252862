import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { coreV1 } from '#api';
import { notFound } from '#machinery';
import type { ReferencedObjects } from '../objects/referenced-objects.ts';
import { testPod } from '../pods/pod.fixture.ts';
import { containerEnvironment } from './environment.ts';
import { expand, expandStrictly } from './expansion.ts';
import { podFieldValue, resourceFieldValue } from './downward.ts';

const META = { uid: 'u', resourceVersion: '1', creationTimestamp: '' };
const facts = {
  podIps: ['10.0.0.5', 'fd00::5'],
  hostIps: ['192.168.1.1'],
  allocatable: { cpu: '4', memory: '8Gi' },
};

const objects: ReferencedObjects = {
  async configMap(_namespace, name) {
    if (name !== 'settings') throw notFound({ group: '', resource: 'configmap' }, name);
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, ...META },
      data: { color: 'blue', size: '3' },
    };
  },
  async secret(_namespace, name) {
    if (name !== 'login') throw notFound({ group: '', resource: 'secret' }, name);
    return { apiVersion: 'v1', kind: 'Secret', metadata: { name, ...META }, data: { password: 'czNjcmV0' } };
  },
  release: () => undefined,
  onChange: () => undefined,
  stop: () => undefined,
};

function service(
  namespace: string,
  name: string,
  clusterIP: string,
  ports: readonly coreV1.ServicePort[],
): coreV1.Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, ...META },
    spec: { clusterIP, ports },
    status: {},
  };
}

async function environment(
  container: Partial<coreV1.Container>,
  services: readonly coreV1.Service[] = [],
  spec: Partial<coreV1.PodSpec> = {},
): Promise<Record<string, string>> {
  const own = { name: 'app', ...container };
  const pod = testPod({ containers: [own], ...spec });
  return Object.fromEntries(await containerEnvironment({ pod, container: own, objects, services, facts }));
}

test('Values refer to variables before them and to services', async () => {
  const env = await environment(
    {
      env: [
        { name: 'A', value: 'a' },
        { name: 'B', value: '$(A)-$(DB_SERVICE_HOST)-$(LATER)-$$(A)' },
        { name: 'LATER', value: 'x' },
      ],
    },
    [service('default', 'db', '10.96.0.9', [{ port: 5432 }])],
  );
  assert.equal(env['B'], 'a-10.96.0.9-$(LATER)-$(A)');
});

test('Variables come from config maps and secrets, whole or by key', async () => {
  const env = await environment({
    envFrom: [{ prefix: 'CFG_', configMapRef: { name: 'settings' } }, { secretRef: { name: 'login' } }],
    env: [{ name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } }],
  });
  assert.deepEqual(env, { CFG_color: 'blue', CFG_size: '3', password: 's3cret', COLOR: 'blue' });
});

test('What is missing and not optional is told in the words people search for', async () => {
  const fails = (container: Partial<coreV1.Container>, message: string): Promise<void> =>
    assert.rejects(environment(container), { message });
  await fails({ envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found');
  await fails({ envFrom: [{ secretRef: { name: 'none' } }] }, 'secret "none" not found');
  await fails(
    { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'none' } } }] },
    "couldn't find key none in ConfigMap default/settings",
  );
  await fails(
    { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'login', key: 'none' } } }] },
    "couldn't find key none in Secret default/login",
  );
});

test('What is missing and optional is left out', async () => {
  const env = await environment({
    envFrom: [{ configMapRef: { name: 'none', optional: true } }],
    env: [
      { name: 'A', valueFrom: { secretKeyRef: { name: 'none', key: 'k', optional: true } } },
      { name: 'B', valueFrom: { configMapKeyRef: { name: 'settings', key: 'none', optional: true } } },
    ],
  });
  assert.deepEqual(env, {});
});

test('A service is told by host, by port, and as a link for each port', async () => {
  const ports = [
    { name: 'http', port: 80 },
    { name: 'dns-udp', port: 53, protocol: 'UDP' as const },
  ];
  assert.deepEqual(await environment({}, [service('default', 'my-web', '10.96.0.7', ports)]), {
    MY_WEB_SERVICE_HOST: '10.96.0.7',
    MY_WEB_SERVICE_PORT: '80',
    MY_WEB_SERVICE_PORT_HTTP: '80',
    MY_WEB_SERVICE_PORT_DNS_UDP: '53',
    MY_WEB_PORT: 'tcp://10.96.0.7:80',
    MY_WEB_PORT_80_TCP: 'tcp://10.96.0.7:80',
    MY_WEB_PORT_80_TCP_PROTO: 'tcp',
    MY_WEB_PORT_80_TCP_PORT: '80',
    MY_WEB_PORT_80_TCP_ADDR: '10.96.0.7',
    MY_WEB_PORT_53_UDP: 'udp://10.96.0.7:53',
    MY_WEB_PORT_53_UDP_PROTO: 'udp',
    MY_WEB_PORT_53_UDP_PORT: '53',
    MY_WEB_PORT_53_UDP_ADDR: '10.96.0.7',
  });
});

test('Headless services and those of other namespaces are not told; the API server always is', async () => {
  const port = [{ port: 443 }];
  const services = [
    service('default', 'headless', 'None', port),
    service('other', 'far', '10.96.0.8', port),
    service('default', 'near', '10.96.0.6', port),
    service('default', 'kubernetes', '10.96.0.1', port),
  ];
  const hosts = async (enableServiceLinks: boolean): Promise<string[]> =>
    Object.keys(await environment({}, services, { enableServiceLinks })).filter((name) =>
      name.endsWith('_HOST'),
    );
  assert.deepEqual(await hosts(true), ['NEAR_SERVICE_HOST', 'KUBERNETES_SERVICE_HOST']);
  assert.deepEqual(await hosts(false), ['KUBERNETES_SERVICE_HOST']);
});

test('A pod knows itself', () => {
  const pod = testPod(
    { nodeName: 'n', serviceAccountName: 'sa' },
    { metadata: { ...testPod().metadata, labels: { b: '2', a: '1' }, annotations: { 'x/y': 'z"q' } } },
  );
  const values = Object.fromEntries(
    [
      'metadata.name',
      'metadata.namespace',
      'metadata.uid',
      'metadata.labels',
      'metadata.annotations',
      "metadata.labels['a']",
      "metadata.annotations['x/y']",
      'spec.nodeName',
      'spec.serviceAccountName',
      'status.hostIP',
      'status.podIP',
      'status.podIPs',
    ].map((path) => [path, podFieldValue(path, pod, facts)]),
  );
  assert.deepEqual(values, {
    'metadata.name': 'web',
    'metadata.namespace': 'default',
    'metadata.uid': 'uid-web',
    'metadata.labels': 'a="1"\nb="2"',
    'metadata.annotations': 'x/y="z\\"q"',
    "metadata.labels['a']": '1',
    "metadata.annotations['x/y']": 'z"q',
    'spec.nodeName': 'n',
    'spec.serviceAccountName': 'sa',
    'status.hostIP': '192.168.1.1',
    'status.podIP': '10.0.0.5',
    'status.podIPs': '10.0.0.5,fd00::5',
  });
  assert.throws(() => podFieldValue('spec.volumes', pod, facts), {
    message: 'unsupported fieldPath: spec.volumes',
  });
});

test('Resources are given in units of the divisor, rounded up; without a limit the node counts', () => {
  const container: coreV1.Container = {
    name: 'app',
    resources: { requests: { cpu: '250m', memory: '64Mi' }, limits: { memory: '100Mi' } },
  };
  const pod = testPod({ containers: [container] });
  const value = (resource: string, divisor?: string): string =>
    resourceFieldValue({ resource, ...(divisor === undefined ? {} : { divisor }) }, pod, container, facts);
  assert.equal(value('requests.cpu'), '1');
  assert.equal(value('requests.cpu', '1m'), '250');
  assert.equal(value('requests.memory', '1Mi'), '64');
  assert.equal(value('limits.memory'), String(100 * 2 ** 20));
  assert.equal(value('limits.cpu'), '4');
  assert.throws(() => value('limits.apples'), { message: 'unsupported container resource : limits.apples' });
});

test('References are expanded once, from left to right', () => {
  const known = (name: string): string | undefined => ({ A: '$(B)', B: 'b' })[name];
  assert.equal(expand('$(A) $(B) $(C) $$(B) $B $(B', known), '$(B) b $(C) $(B) $B $(B');
  assert.throws(() => expandStrictly('$(C)', known), { message: 'missing value for "C"' });
});
