import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { PodSandboxConfig, PortMapping } from '#cri';
import { silentLogger } from '#platform';
import { nodeFiles } from '#platform/node';
import { TestNamespace, whyNoNamespaces } from '../../../test/tools/network-namespace.ts';
import { createBridgeNetwork, removeBridgeNetwork } from './bridge-network.ts';

function sandbox(name: string, portMappings: readonly PortMapping[] = []): PodSandboxConfig {
  return {
    metadata: { name, uid: name, namespace: 'default', attempt: 0 },
    hostname: name,
    logDirectory: '',
    portMappings,
    labels: {},
    annotations: {},
    linux: {
      cgroupParent: '',
      namespaces: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
      sysctls: {},
      seccomp: { type: 'Unconfined' },
      privileged: false,
    },
  };
}

describe('the bridge network', { skip: whyNoNamespaces() }, () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'k8ts-bridge-'));
  let host: TestNamespace;
  let a: TestNamespace;
  let b: TestNamespace;
  const create = () =>
    createBridgeNetwork({
      cluster: 'tbridge',
      processes: host.processes,
      files: nodeFiles,
      logger: silentLogger,
      stateDir,
      podCidr: '10.211.3.0/24',
      clusterCidr: '10.211.0.0/16',
      serviceCidr: '10.212.0.0/16',
    });

  before(() => {
    host = TestNamespace.create('k8ts-tbr-host');
    a = TestNamespace.create('k8ts-tbr-a');
    b = TestNamespace.create('k8ts-tbr-b');
  });
  after(() => {
    for (const namespace of [a, b, host]) namespace.delete();
    rmSync(stateDir, { recursive: true });
  });

  test('pods reach each other and the host, a host port leads to its pod, and removal leaves nothing', async () => {
    const network = create();
    await network.setUp();
    const ipA = await network.attach({ id: 'a', networkNamespace: a.path, config: sandbox('a') });
    const port: PortMapping = { protocol: 'TCP', hostIp: '', hostPort: 8088, containerPort: 80 };
    const ipB = await network.attach({ id: 'b', networkNamespace: b.path, config: sandbox('b', [port]) });
    assert.deepEqual([ipA, ipB], [['10.211.3.2'], ['10.211.3.3']]);

    const answer = b.shell('echo hello | timeout 10 busybox nc -l -p 80; true');
    const ask =
      'for i in $(busybox seq 60); do busybox nc -w 2 127.0.0.1 8088 </dev/null && exit 0; busybox usleep 50000; done; exit 1';
    assert.equal(await host.shell(ask), 'hello\n');
    await answer;
    await a.shell(`busybox ping -c 1 -w 3 ${ipB[0]}`);
    await a.shell(`busybox ping -c 1 -w 3 ${network.gateway}`);

    // A second process with the same state: same addresses, same network.
    const again = create();
    await again.setUp();
    assert.deepEqual(await again.attach({ id: 'a', networkNamespace: a.path, config: sandbox('a') }), ipA);
    await a.shell(`busybox ping -c 1 -w 3 ${ipB[0]}`);
    await again.detach({ id: 'b', networkNamespace: b.path });
    await again.detach({ id: 'b', networkNamespace: b.path });
    assert.doesNotMatch(await host.shell('nft list ruleset'), /10\.211\.3\.3/);

    await removeBridgeNetwork('tbridge', host.processes);
    await removeBridgeNetwork('tbridge', host.processes);
    assert.equal(await host.shell('nft list ruleset'), '');
    assert.doesNotMatch(await host.shell('ip link'), /k8-tbridge|kv/);
  });
});
