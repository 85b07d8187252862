import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestNamespace, whyNoNamespaces } from '../../../test/tools/network-namespace.ts';
import { runNft } from '../commands.ts';
import { baseTable, mergeRules, NO_RULES, type PortRules, portRules, transition } from './rules.ts';
import type { ServicePortView } from './service-endpoints.ts';

const web: ServicePortView = {
  id: 'default/web:http/TCP',
  protocol: 'tcp',
  port: 80,
  clusterIps: ['10.96.0.7'],
  externalIps: [],
  nodePort: 0,
  internal: [
    { ip: '10.244.0.2', port: 8080 },
    { ip: '10.244.0.3', port: 8080 },
  ],
  external: [],
  keepClientIp: false,
  affinitySeconds: 0,
};
const rulesOf = (view: ServicePortView): PortRules => portRules(view, '10.244.0.0/16');

test('a cluster address leads to a chain that picks one of the endpoints', () => {
  const rules = rulesOf(web);
  const [first] = rules.chains;
  assert.equal(
    first?.[1],
    'meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.0.2 . 8080, 1 : 10.244.0.3 . 8080 }',
  );
  assert.deepEqual([...rules.elements], [['service-ips { 10.96.0.7 . tcp . 80', `goto ${first?.[0]}`]]);
});

test('without endpoints the address is refused, and with policy Local a node port is dropped', () => {
  const dead = rulesOf({ ...web, internal: [], nodePort: 30_080, keepClientIp: true });
  assert.deepEqual(
    [...dead.elements],
    [
      ['dead-ips { 10.96.0.7 . tcp . 80', 'goto reject-all'],
      ['dead-nodeports { tcp . 30080', 'goto drop-all'],
    ],
  );
});

test('a changed endpoint touches its own chain and no element', () => {
  const next = rulesOf({ ...web, internal: web.internal.slice(0, 1) });
  const [chain = ''] = [...next.chains.keys()];
  assert.equal(
    transition('t', rulesOf(web), next),
    `add chain ip t ${chain}\nflush chain ip t ${chain}\nadd rule ip t ${chain} meta l4proto tcp dnat ip to 10.244.0.2:8080\n`,
  );
});

test('nothing changed, nothing to do', () => {
  assert.equal(transition('t', rulesOf(web), rulesOf({ ...web })), '');
});

test('an address that two services claim stays with the first', () => {
  const other = rulesOf({ ...web, id: 'default/other:http/TCP' });
  const merged = mergeRules([rulesOf(web), other]);
  assert.deepEqual([...merged.elements], [...rulesOf(web).elements]);
});

describe('in the kernel', { skip: whyNoNamespaces() }, () => {
  const table = 'k8ts-trules-services';
  const files = mkdtempSync(join(tmpdir(), 'k8ts-rules-'));
  let host: TestNamespace;
  let applied: PortRules = NO_RULES;
  const apply = async (...views: readonly ServicePortView[]): Promise<void> => {
    const next = mergeRules(views.map(rulesOf));
    const script = transition(table, applied, next);
    if (script !== '') await runNft(host.processes, script);
    applied = next;
  };
  /** Asks 10 times, each a connection of its own; the sorted distinct answers. */
  const ask = async (address: string, port: number): Promise<string> =>
    host.shell(
      `for i in $(busybox seq 10); do printf 'GET /who HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 ${address} ${port} 2>&1 | tail -n 1; done | sort -u | tr '\\n' ' '`,
    );

  before(async () => {
    host = TestNamespace.create('k8ts-trules');
    await host.shell(
      'ip link add d0 type bridge; ip link set d0 up; for a in 2 3; do ip a add 10.244.0.$a/32 dev d0; done; ip r add 10.96.0.0/16 dev d0',
    );
    await runNft(host.processes, baseTable(table));
    for (const a of [2, 3]) {
      const folder = join(files, String(a));
      mkdirSync(folder);
      writeFileSync(join(folder, 'who'), `from-${a}\n`);
      await host.shell(`busybox httpd -p 10.244.0.${a}:8080 -h ${folder} >/dev/null 2>&1 </dev/null`);
    }
  });
  after(async () => {
    await host.shell(
      'for p in $(ip netns pids k8ts-trules); do [ "$p" = $$ ] || kill $p 2>/dev/null; done; true',
    );
    host.delete();
    rmSync(files, { recursive: true });
  });

  test('connections spread over the endpoints, through the cluster address and the node port', async () => {
    await apply({ ...web, nodePort: 30_080, external: web.internal });
    assert.equal(await ask('10.96.0.7', 80), 'from-2 from-3 ');
    assert.equal(await ask('10.244.0.2', 30_080), 'from-2 from-3 ');
  });

  test('with client affinity every connection goes to the same endpoint', async () => {
    await apply({ ...web, affinitySeconds: 60 });
    assert.match(await ask('10.96.0.7', 80), /^from-[23] $/);
  });

  test('a service that lost its endpoints refuses at once, and answers again when they are back', async () => {
    await apply({ ...web, internal: [] });
    assert.match(await ask('10.96.0.7', 80), /refused/i);
    await apply(web);
    assert.equal(await ask('10.96.0.7', 80), 'from-2 from-3 ');
  });

  test('taking all services away leaves only the empty maps and base chains', async () => {
    await apply();
    assert.doesNotMatch(await host.shell('nft list ruleset'), /svc-|elements|10\.244/);
  });
});
