import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testPod } from '../pods/pod.fixture.ts';
import { hostNetworkHosts, managedHosts } from './hosts-file.ts';
import { parseResolvConf, podDns } from './pod-dns.ts';
import { kernelHostname, podHostname } from './pod-hostname.ts';

const cluster = { servers: ['10.96.0.10'], domain: 'cluster.local' };
const host = { servers: ['1.1.1.1'], searches: ['lan'], options: ['timeout:1'] };

test('By default a pod asks the cluster, with the names of its namespace first', () => {
  assert.deepEqual(podDns(testPod(), cluster, host).config, {
    servers: ['10.96.0.10'],
    searches: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'lan'],
    options: ['ndots:5'],
  });
});

test('A pod on the host network asks whom its node asks, unless it wants the cluster', () => {
  assert.deepEqual(podDns(testPod({ hostNetwork: true }), cluster, host).config, host);
  assert.deepEqual(podDns(testPod({ dnsPolicy: 'Default' }), cluster, host).config, host);
  const wants = testPod({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' });
  assert.deepEqual(podDns(wants, cluster, host).config.servers, ['10.96.0.10']);
});

test('Own settings are added, and options override by name', () => {
  const pod = testPod({
    dnsPolicy: 'None',
    dnsConfig: {
      nameservers: ['8.8.8.8'],
      searches: ['a.b'],
      options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
    },
  });
  assert.deepEqual(podDns(pod, cluster, host).config, {
    servers: ['8.8.8.8'],
    searches: ['a.b'],
    options: ['ndots:2', 'edns0'],
  });
});

test('More name servers than resolvers take are cut, with a warning', () => {
  const pod = testPod({
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4'] },
  });
  const { config, warnings } = podDns(pod, cluster, host);
  assert.deepEqual(config.servers, ['1.1.1.1', '2.2.2.2', '3.3.3.3']);
  assert.deepEqual(warnings, [
    'Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 1.1.1.1 2.2.2.2 3.3.3.3',
  ]);
});

test('A resolv.conf is read as resolvers read it', () => {
  const text =
    '# c\nnameserver 1.1.1.1\nsearch old\nnameserver 2.2.2.2\nsearch a. b .\noptions ndots:1 edns0\noptions ndots:3\n';
  assert.deepEqual(parseResolvConf(text), {
    servers: ['1.1.1.1', '2.2.2.2'],
    searches: ['a', 'b'],
    options: ['ndots:3', 'edns0'],
  });
});

test('A pod is called by its name, its hostname, or its full name in the cluster', () => {
  assert.deepEqual(podHostname(testPod(), 'cluster.local'), { hostname: 'web', domain: '' });
  const pod = testPod({ hostname: 'h', subdomain: 's', setHostnameAsFQDN: true });
  const name = podHostname(pod, 'cluster.local');
  assert.deepEqual(name, { hostname: 'h', domain: 's.default.svc.cluster.local' });
  assert.equal(kernelHostname(pod, name), 'h.s.default.svc.cluster.local');
  const long = podHostname(
    testPod({}, { metadata: { ...testPod().metadata, name: `${'a'.repeat(62)}-b` } }),
    '',
  );
  assert.equal(long.hostname, 'a'.repeat(62));
});

test('The managed hosts file has the pod and its aliases', () => {
  const aliases = [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }];
  assert.equal(
    managedHosts(['10.0.0.5'], { hostname: 'h', domain: 's.default.svc.cluster.local' }, aliases),
    '# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' +
      'fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n' +
      '10.0.0.5\th.s.default.svc.cluster.local\th\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n',
  );
  assert.equal(
    hostNetworkHosts('127.0.0.1 localhost\n', []),
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n',
  );
});
