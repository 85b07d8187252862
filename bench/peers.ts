/** The API servers that are measured side by side: k8ts's server process, and upstream's etcd with kube-apiserver. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type ClusterPki, createPki, layoutOf, processArguments, processEnvironment } from '#launcher';
import { systemClock, systemRandom } from '#platform/node';
import { ensureProgram } from '../test/upstream/build.ts';
import { writePkiFolder } from './pki-folder.ts';

export interface Peer extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly pki: ClusterPki;
  /** From the first process started to the first 200 of `/readyz`. */
  readonly readyMs: number;
  /** Resident memory of all its processes. */
  memoryBytes(): number;
  /** CPU time used so far by all its processes. */
  cpuMs(): number;
}

const TICK_MS = 10;
const READY_POLL_MS = 5;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

export const makePki = (): Promise<ClusterPki> =>
  createPki(
    { serverDnsNames: ['localhost'], serverIps: ['127.0.0.1'] },
    { clock: systemClock, random: systemRandom },
  );

function readyz(port: number, pki: ClusterPki): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request(
      {
        host: '127.0.0.1',
        port,
        path: '/readyz',
        ca: pki.caPem,
        cert: pki.admin.certPem,
        key: pki.admin.keyPem,
        agent: false,
      },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode === 200);
      },
    );
    probe.on('error', () => resolve(false));
    probe.end();
  });
}

class ProcessGroup {
  readonly #children: ChildProcess[] = [];
  #stopping = false;

  start(
    program: string,
    args: readonly string[],
    logFile: string,
    env: NodeJS.ProcessEnv = process.env,
  ): void {
    const log = openSync(logFile, 'w');
    const child = spawn(program, args, { stdio: ['ignore', log, log], env, cwd: '/' });
    closeSync(log);
    child.on('exit', (code, signal) => {
      if (this.#stopping) return;
      console.error(
        `${program} ended by itself: ${signal ?? code}\n${readFileSync(logFile, 'utf8').slice(-2_000)}`,
      );
    });
    this.#children.push(child);
  }

  memoryBytes(): number {
    return this.#sum((pid) => {
      const text = readFileSync(`/proc/${pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024;
    });
  }

  cpuMs(): number {
    return this.#sum((pid) => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }

  #sum(read: (pid: number) => number): number {
    return this.#children.reduce((sum, child) => sum + (child.pid === undefined ? 0 : read(child.pid)), 0);
  }
}

async function awaitReady(
  name: string,
  port: number,
  pki: ClusterPki,
  group: ProcessGroup,
  startedAt: number,
) {
  for (;;) {
    if (await readyz(port, pki)) return performance.now() - startedAt;
    if (performance.now() - startedAt > 60_000) {
      await group.stop();
      throw new Error(`${name} is not ready after a minute`);
    }
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
}

function peer(
  name: string,
  port: number,
  pki: ClusterPki,
  readyMs: number,
  group: ProcessGroup,
  folder: string,
): Peer {
  return {
    name,
    port,
    pki,
    readyMs,
    memoryBytes: () => group.memoryBytes(),
    cpuMs: () => group.cpuMs(),
    async [Symbol.asyncDispose]() {
      await group.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The server process as `k8ts up` runs it, on the embedded store, with controllers and scheduler and no nodes. */
export async function startK8ts(): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-bench-'));
  const pki = await makePki();
  const port = await freePort();
  const layout = layoutOf('bench', {
    uid: 0,
    env: { K8TS_DATA_DIR: join(folder, 'data'), K8TS_RUN_DIR: join(folder, 'run') },
  });
  for (const path of [layout.data, layout.run, layout.logs]) mkdirSync(path, { recursive: true });
  writePkiFolder(layout.pki, pki);
  const config = {
    name: 'bench',
    mode: 'simulated',
    nodes: [],
    apiPort: port,
    kubeletPort: 0,
    store: { type: 'embedded' },
    clusterCidr: '10.244.0.0/16',
    podCidr: '10.244.0.0/24',
    nodeIp: '10.244.0.1',
    serviceCidr: '10.96.0.0/16',
    dnsIp: '10.96.0.10',
    clusterDomain: 'cluster.local',
  };
  const input = join(folder, 'input.json');
  writeFileSync(input, JSON.stringify({ layout, config, version: 'bench' }));
  const group = new ProcessGroup();
  const env = processEnvironment(layout.data);
  const startedAt = performance.now();
  group.start(process.execPath, [...processArguments('server'), input], join(folder, 'server.log'), env);
  return peer('k8ts', port, pki, await awaitReady('k8ts', port, pki, group, startedAt), group, folder);
}

/** etcd 3.6 and kube-apiserver 1.36 with their defaults. */
export async function startUpstream(): Promise<Peer> {
  const [etcd, apiserver] = [ensureProgram('etcd'), ensureProgram('kube-apiserver')];
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-bench-upstream-'));
  const pki = await makePki();
  const [port, clientPort, peerPort] = [await freePort(), await freePort(), await freePort()];
  const keys = join(folder, 'pki');
  writePkiFolder(keys, pki);
  const group = new ProcessGroup();
  const startedAt = performance.now();
  const client = `http://127.0.0.1:${clientPort}`;
  group.start(
    etcd,
    [
      `--data-dir=${folder}/etcd`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
      '--log-level=error',
    ],
    join(folder, 'etcd.log'),
  );
  group.start(
    apiserver,
    [
      `--etcd-servers=${client}`,
      `--secure-port=${port}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--tls-cert-file=${keys}/apiserver.crt`,
      `--tls-private-key-file=${keys}/apiserver.key`,
      `--client-ca-file=${keys}/ca.crt`,
      `--service-account-key-file=${keys}/sa.pub`,
      `--service-account-signing-key-file=${keys}/sa.key`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      '--service-cluster-ip-range=10.96.0.0/16',
      '--authorization-mode=Node,RBAC',
      '--allow-privileged=true',
    ],
    join(folder, 'apiserver.log'),
  );
  return peer(
    'upstream',
    port,
    pki,
    await awaitReady('upstream', port, pki, group, startedAt),
    group,
    folder,
  );
}
