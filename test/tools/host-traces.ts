/** What a cluster leaves on the machine, found from outside: by names and folders, not by what the cluster remembers. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { networkNames } from '../../src/network/names.ts';
import type { TestCluster } from './test-cluster.ts';

const CGROUPS = '/sys/fs/cgroup';

const output = (program: string, args: readonly string[]): string =>
  spawnSync(program, args, { encoding: 'utf8' }).stdout;

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function folders(path: string): readonly string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** Ended, and only not yet asked after by its parent. */
const hasEnded = (pid: string): boolean => /^State:\s+[ZX]/m.test(read(`/proc/${pid}/status`));

/** Processes started from the cluster's folders or living in its cgroups. */
function processes(cluster: TestCluster): readonly string[] {
  return folders('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
      const isOurs =
        command.includes(`${cluster.folder}/`) ||
        read(`/proc/${pid}/cgroup`).includes(`/k8ts-${cluster.name}/`);
      return isOurs && !hasEnded(pid) ? [`process ${pid}: ${command}`] : [];
    });
}

/** Network interfaces that hang on the cluster's bridge, and the bridge. */
export function interfacesOf(cluster: TestCluster): readonly string[] {
  const { bridge } = networkNames(cluster.name);
  const ports = output('ip', ['-o', 'link', 'show', 'master', bridge]);
  return [...ports.matchAll(/^\d+: ([^:@]+)/gm)].map((match) => match[1] ?? '').concat(bridge);
}

/**
 * One line for each thing that is there: process, mount, network interface, route, nftables table, cgroup, folder.
 * `interfaces`: those `interfacesOf` named while the cluster was up.
 */
export function hostTraces(cluster: TestCluster, interfaces: readonly string[] = []): readonly string[] {
  const { bridge, podTable, serviceTable } = networkNames(cluster.name);
  const mounts = read('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${cluster.folder}/`));
  const links = output('ip', ['-o', 'link']);
  const tables = output('nft', ['list', 'tables']);
  const hierarchies = ['', ...folders(CGROUPS)];
  return [
    ...processes(cluster),
    ...mounts.map((point) => `mount ${point}`),
    ...[bridge, ...interfaces]
      .filter((name) => links.includes(` ${name}:`) || links.includes(` ${name}@`))
      .map((name) => `interface ${name}`),
    ...output('ip', ['route'])
      .split('\n')
      .filter((route) => route.includes(`dev ${bridge} `)),
    ...[podTable, serviceTable]
      .filter((table) => tables.includes(`${table}\n`))
      .map((table) => `table ${table}`),
    ...hierarchies
      .map((hierarchy) => `${CGROUPS}/${hierarchy}/k8ts-${cluster.name}`)
      .filter((path) => existsSync(path))
      .map((path) => `cgroup ${path}`),
    ...['data', 'run']
      .map((folder) => `${cluster.folder}/${folder}/${cluster.name}`)
      .filter((path) => existsSync(path))
      .map((path) => `folder ${path}`),
  ];
}
