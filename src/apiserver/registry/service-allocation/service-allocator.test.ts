import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiEndpoint, KubeObject } from '#machinery';
import { createMemoryStore, type Store } from '#store';
import { VirtualClock } from '#testing';
import { ADMIN, ask, startTestServer } from '../../api-server.fixture.ts';

const SERVICES = { group: '', version: 'v1', resource: 'services', namespace: 'default' } as const;

interface Service extends KubeObject {
  readonly spec: {
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly ipFamilies?: readonly string[];
    readonly ipFamilyPolicy?: string;
    readonly ports?: readonly { readonly nodePort?: number }[];
  };
}

const create = async (endpoint: ApiEndpoint, name: string, spec: object): Promise<Service> =>
  (await ask(endpoint, {
    verb: 'create',
    ...SERVICES,
    body: { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } },
  })) as Service;

const addresses = async (endpoint: ApiEndpoint): Promise<readonly (string | undefined)[]> => {
  const list = await ask(endpoint, {
    verb: 'list',
    group: 'networking.k8s.io',
    version: 'v1',
    resource: 'ipaddresses',
  });
  return (list.items as readonly KubeObject[]).map(({ metadata }) => metadata.name);
};

test('the first address is the API server’s own', async () => {
  const { endpoint, server } = await startTestServer({ serviceCidr: '10.0.0.0/24' });
  const service = (await ask(endpoint, { verb: 'get', ...SERVICES, name: 'kubernetes' })) as Service;
  assert.equal(service.spec.clusterIP, '10.0.0.1');
  await server.close();
});

test('a Service gets an address, keeps it, and gives it back', async () => {
  const { endpoint, server } = await startTestServer({ serviceCidr: '10.0.0.0/24' });
  const made = await create(endpoint, 'web', { selector: { a: 'b' } });
  const ip = made.spec.clusterIP ?? '';
  assert.match(ip, /^10\.0\.0\.\d+$/);
  assert.deepEqual(
    [made.spec.clusterIPs, made.spec.ipFamilies, made.spec.ipFamilyPolicy],
    [[ip], ['IPv4'], 'SingleStack'],
  );
  assert.deepEqual(await addresses(endpoint), ['10.0.0.1', ip].sort());
  const updated = (await ask(endpoint, {
    verb: 'update',
    ...SERVICES,
    name: 'web',
    body: { metadata: { name: 'web' }, spec: { ports: [{ port: 81 }] } },
  })) as Service;
  assert.equal(updated.spec.clusterIP, ip);
  await ask(endpoint, { verb: 'delete', ...SERVICES, name: 'web' });
  assert.deepEqual(await addresses(endpoint), ['10.0.0.1']);
  await server.close();
});

test('an address that is taken or foreign is refused', async () => {
  const { endpoint, server } = await startTestServer({ serviceCidr: '10.0.0.0/24' });
  await assert.rejects(create(endpoint, 'a', { clusterIP: '10.0.0.1' }), {
    code: 422,
    message:
      'Service "a" is invalid: spec.clusterIPs: Invalid value: ["10.0.0.1"]: failed to allocate IP 10.0.0.1: provided IP is already allocated',
  });
  await assert.rejects(create(endpoint, 'a', { clusterIP: '10.9.0.1' }), {
    code: 422,
    message:
      'Service "a" is invalid: spec.clusterIPs: Invalid value: ["10.9.0.1"]: failed to allocate IP 10.9.0.1: the provided network does not match the current range',
  });
  await server.close();
});

test('node ports: given, chosen, shared by TCP and UDP, and refused', async () => {
  const { endpoint, server } = await startTestServer();
  const both = await create(endpoint, 'dns', {
    type: 'NodePort',
    ports: [
      { name: 't', port: 53, protocol: 'TCP' },
      { name: 'u', port: 53, protocol: 'UDP' },
    ],
  });
  const ports = both.spec.ports?.map(({ nodePort = 0 }) => nodePort) ?? [];
  assert.ok(ports.every((port) => port >= 30_000 && port <= 32_767));
  const taken = ports[0];
  await assert.rejects(create(endpoint, 'b', { type: 'NodePort', ports: [{ port: 80, nodePort: taken }] }), {
    code: 422,
    message: `Service "b" is invalid: spec.ports[0].nodePort: Invalid value: ${taken}: provided port is already allocated`,
  });
  await assert.rejects(create(endpoint, 'b', { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }), {
    code: 422,
    message:
      'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
  });
  await ask(endpoint, { verb: 'delete', ...SERVICES, name: 'dns' });
  const again = await create(endpoint, 'b', { type: 'NodePort', ports: [{ port: 80, nodePort: taken }] });
  assert.equal(again.spec.ports?.[0]?.nodePort, taken);
  await server.close();
});

test('headless and external Services have no address', async () => {
  const { endpoint, server } = await startTestServer();
  const headless = await create(endpoint, 'h', { clusterIP: 'None', selector: { a: 'b' } });
  assert.deepEqual([headless.spec.clusterIP, headless.spec.clusterIPs], ['None', ['None']]);
  const external = await create(endpoint, 'e', { type: 'ExternalName', externalName: 'example.com' });
  assert.equal(external.spec.clusterIP, undefined);
  assert.deepEqual(await addresses(endpoint), ['10.96.0.1']);
  await server.close();
});

/** A store that somebody else writes to as well: its watch runs behind, and nobody is promised anything. */
function shared(store: Store): Store {
  return new Proxy(store, {
    get(target, property) {
      if (property === 'exclusive') return undefined;
      if (property === 'watch') {
        const watch: Store['watch'] = (start, end, options) =>
          target.watch(start, end, {
            ...options,
            onEvents: (events, revision) => setImmediate(() => options.onEvents(events, revision)),
            onProgress: (revision) => setImmediate(() => options.onProgress?.(revision)),
          });
        return watch;
      }
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

test('two API servers on one store never give out one address twice, and read what the other wrote', async () => {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  const one = await startTestServer({ clock, store: shared(store), serviceCidr: '10.0.0.0/27' });
  const two = await startTestServer({ clock, store: shared(store), serviceCidr: '10.0.0.0/27' });
  const endpoints = [one.server.endpointFor(ADMIN), two.server.endpointFor(ADMIN)];
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      create(endpoints[i % 2] ?? one.endpoint, `s${i}`, { selector: { a: 'b' } }),
    ),
  );
  assert.equal(new Set(made.map(({ spec }) => spec.clusterIP)).size, 20);
  for (let i = 0; i < 20; i++) {
    const other = endpoints[(i + 1) % 2] ?? one.endpoint;
    const read = (await ask(other, { verb: 'get', ...SERVICES, name: `s${i}` })) as Service;
    assert.equal(read.spec.clusterIP, made[i]?.spec.clusterIP);
  }
  await one.server.close();
  await two.server.close();
});
