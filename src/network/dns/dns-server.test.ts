import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { type Answer, decode, encode, type Packet, type StringAnswer } from 'dns-packet';
import type { Informer, InformerFactory, ResourceRef } from '#client';
import { type Address, silentLogger } from '#platform';
import { nodeSockets, systemClock, systemRandom } from '#platform/node';
import { DnsServer } from './dns-server.ts';

interface Named {
  readonly metadata: { readonly namespace?: string; readonly name: string };
}

/** An informer over a fixed set of objects. */
function fixedInformers(objects: Readonly<Record<string, readonly Named[]>>): InformerFactory {
  const keyOf = ({ metadata }: Named): string =>
    metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
  return {
    for<T>(ref: ResourceRef<T>): Informer<T> {
      const items = (objects[ref.resource] ?? []) as readonly (Named & T)[];
      const indexes = new Map<string, (object: T) => readonly string[]>();
      return {
        get: (key) => items.find((item) => keyOf(item) === key),
        list: () => items,
        byIndex: (name, value) => items.filter((item) => indexes.get(name)?.(item).includes(value)),
        addIndex: (name, keysOf) => void indexes.set(name, keysOf),
        addHandler: () => () => undefined,
        synced: () => Promise.resolve(),
        hasSynced: true,
      };
    },
    start: () => undefined,
    stop: () => Promise.resolve(),
  };
}

const endpoint = (ip: string, hostname?: string, ready = true) => ({
  addresses: [ip],
  hostname,
  conditions: { ready },
});
const informers = fixedInformers({
  namespaces: [{ metadata: { name: 'default' } }],
  services: [
    {
      metadata: { namespace: 'default', name: 'web' },
      spec: {
        clusterIP: '10.96.0.7',
        clusterIPs: ['10.96.0.7'],
        ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
      },
    } as Named,
    {
      metadata: { namespace: 'default', name: 'db' },
      spec: { clusterIP: 'None', clusterIPs: ['None'] },
    } as Named,
    {
      metadata: { namespace: 'default', name: 'out' },
      spec: { type: 'ExternalName', externalName: 'example.test' },
    } as Named,
  ],
  endpointslices: [
    {
      metadata: { namespace: 'default', name: 'db-1', labels: { 'kubernetes.io/service-name': 'db' } },
      addressType: 'IPv4',
      ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
      endpoints: [
        endpoint('10.244.0.2', 'db-0'),
        endpoint('10.244.0.3', 'db-1'),
        endpoint('10.244.0.9', 'db-2', false),
      ],
    } as Named,
  ],
});

let server: DnsServer;
let upstream: ReturnType<typeof createSocket>;
before(async () => {
  upstream = createSocket('udp4');
  upstream.on('message', (data, from) => {
    const query = decode(data);
    const [question] = query.questions ?? [];
    const answers: Answer[] = [
      { name: question?.name ?? '', type: 'A', class: 'IN', ttl: 60, data: '192.0.2.7' },
    ];
    upstream.send(encode({ ...query, type: 'response', answers }), from.port, from.address);
  });
  upstream.bind(0, '127.0.0.1');
  await once(upstream, 'listening');
  server = new DnsServer({
    informers,
    sockets: nodeSockets,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    listen: [{ host: '127.0.0.1', port: 0 }],
    clusterDomain: 'cluster.local',
    upstreams: [{ host: '127.0.0.1', port: upstream.address().port }],
  });
  await server.start();
});
after(async () => {
  await server.stop();
  upstream.close();
});

const addressOf = (): Address => server.addresses[0] ?? { host: '', port: 0 };

async function ask(
  name: string,
  type: 'A' | 'AAAA' | 'SRV' | 'PTR' | 'TXT' | 'CNAME' = 'A',
): Promise<string> {
  const client = createSocket('udp4');
  const query = encode({ type: 'query', id: 7, questions: [{ name, type, class: 'IN' }] });
  client.send(query, addressOf().port, addressOf().host);
  const [data] = (await once(client, 'message')) as [Buffer];
  client.close();
  const reply = decode(data) as Packet & { rcode?: string };
  assert.equal(reply.id, 7);
  const texts = (reply.answers ?? []).map((answer) => {
    if (answer.type === 'SRV') return `${answer.data.target}:${answer.data.port}`;
    return answer.type === 'TXT' ? answer.data.toString() : (answer as StringAnswer).data;
  });
  return [reply.rcode, ...texts.sort(), ...(reply.authorities ?? []).map((a) => a.type)].join(' ');
}

test('a service has its cluster address, whatever the case of the name', async () => {
  assert.equal(await ask('web.default.svc.cluster.local'), 'NOERROR 10.96.0.7');
  assert.equal(await ask('WEB.default.svc.CLUSTER.local'), 'NOERROR 10.96.0.7');
});

test('a name that exists has no AAAA record, one that does not is NXDOMAIN; both carry the SOA', async () => {
  assert.equal(await ask('web.default.svc.cluster.local', 'AAAA'), 'NOERROR SOA');
  assert.equal(await ask('nope.default.svc.cluster.local'), 'NXDOMAIN SOA');
  assert.equal(await ask('web.other.svc.cluster.local'), 'NXDOMAIN SOA');
  assert.equal(await ask('default.svc.cluster.local'), 'NOERROR SOA');
});

test('a headless service has the addresses of its ready endpoints, and each has its own name', async () => {
  assert.equal(await ask('db.default.svc.cluster.local'), 'NOERROR 10.244.0.2 10.244.0.3');
  assert.equal(await ask('db-1.db.default.svc.cluster.local'), 'NOERROR 10.244.0.3');
  assert.equal(await ask('db-2.db.default.svc.cluster.local'), 'NXDOMAIN SOA');
});

test('ports have SRV records', async () => {
  assert.equal(
    await ask('_http._tcp.web.default.svc.cluster.local', 'SRV'),
    'NOERROR web.default.svc.cluster.local:80',
  );
  assert.equal(
    await ask('_sql._tcp.db.default.svc.cluster.local', 'SRV'),
    'NOERROR db-0.db.default.svc.cluster.local:5432 db-1.db.default.svc.cluster.local:5432',
  );
});

test('addresses have names', async () => {
  assert.equal(await ask('7.0.96.10.in-addr.arpa', 'PTR'), 'NOERROR web.default.svc.cluster.local');
  assert.equal(await ask('2.0.244.10.in-addr.arpa', 'PTR'), 'NOERROR db-0.db.default.svc.cluster.local');
});

test('pods have names made of their address', async () => {
  assert.equal(await ask('10-244-0-5.default.pod.cluster.local'), 'NOERROR 10.244.0.5');
  assert.equal(await ask('10-244-0-5.other.pod.cluster.local'), 'NXDOMAIN SOA');
});

test('an external name is an alias, followed through the upstream server', async () => {
  assert.equal(await ask('out.default.svc.cluster.local', 'CNAME'), 'NOERROR example.test');
  assert.equal(await ask('out.default.svc.cluster.local'), 'NOERROR 192.0.2.7 example.test');
});

test('other names are asked of the upstream server', async () => {
  assert.equal(await ask('example.test'), 'NOERROR 192.0.2.7');
});

test('the schema version is told', async () => {
  assert.equal(await ask('dns-version.cluster.local', 'TXT'), 'NOERROR 1.1.0');
});

test('questions over TCP are answered, several on one connection', async () => {
  const socket = connect(addressOf());
  for (const id of [1, 2]) {
    const query = encode({
      type: 'query',
      id,
      questions: [{ name: 'web.default.svc.cluster.local', type: 'A', class: 'IN' }],
    });
    socket.write(Buffer.concat([Buffer.from([0, query.length]), query]));
  }
  let received = Buffer.alloc(0);
  const ids: (number | undefined)[] = [];
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk]);
    while (received.length > 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      ids.push(decode(received.subarray(2, end)).id);
      received = received.subarray(end);
    }
    if (ids.length === 2) break;
  }
  assert.deepEqual(
    ids.sort((a = 0, b = 0) => a - b),
    [1, 2],
  );
});

test('a message that is not DNS is answered FORMERR', async () => {
  const client = createSocket('udp4');
  client.send(Buffer.from('garbage that is long enough'), addressOf().port, addressOf().host);
  const [data] = (await once(client, 'message')) as [Buffer];
  client.close();
  assert.equal(data.readUInt16BE(2) & 0xf, 1);
});
