/** What kind of machine the node is, as its status shows it. */
import type { coreV1 } from '#api';
import type { Files, Processes } from '#platform';

export interface MachineInfo {
  /** Quantities by resource name: `cpu`, `memory`, `ephemeral-storage`. */
  readonly capacity: Readonly<Record<string, string>>;
  readonly memoryBytes: number;
  readonly systemInfo: Omit<
    coreV1.NodeSystemInfo,
    'containerRuntimeVersion' | 'kubeletVersion' | 'kubeProxyVersion' | 'operatingSystem'
  >;
}

/** Of Go's names for processor architectures, by those of the kernel. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  ppc64le: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
};

/** Reads it from the machine itself. */
export async function readMachineInfo(options: {
  readonly files: Files;
  readonly processes: Processes;
  /** The folder whose file system is the node's ephemeral storage. */
  readonly rootDir: string;
}): Promise<MachineInfo> {
  const { files, processes, rootDir } = options;
  const text = async (path: string): Promise<string> => {
    try {
      return (await files.readFile(path)).toString().trim();
    } catch {
      return '';
    }
  };
  const run = async (program: string, args: readonly string[]): Promise<string> =>
    (await processes.run(program, args)).stdout.toString().trim();
  const [meminfo, cpuinfo, osRelease, kernel, bootId, machineId, systemUuid, architecture, disk] =
    await Promise.all([
      text('/proc/meminfo'),
      text('/proc/cpuinfo'),
      text('/etc/os-release'),
      text('/proc/sys/kernel/osrelease'),
      text('/proc/sys/kernel/random/boot_id'),
      text('/etc/machine-id'),
      text('/sys/class/dmi/id/product_uuid'),
      run('uname', ['-m']),
      run('df', ['--output=size', '-B1', rootDir]),
    ]);
  const memoryKiB = Number(/^MemTotal:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? '0');
  const diskKiB = Math.floor(Number(disk.split('\n')[1] ?? '0') / 1024);
  return {
    capacity: {
      cpu: String((cpuinfo.match(/^processor\s*:/gm) ?? []).length || 1),
      memory: `${memoryKiB}Ki`,
      'ephemeral-storage': `${diskKiB}Ki`,
    },
    memoryBytes: memoryKiB * 1024,
    systemInfo: {
      architecture: ARCHITECTURES[architecture] ?? architecture,
      bootID: bootId,
      kernelVersion: kernel,
      machineID: machineId,
      osImage: /^PRETTY_NAME="?([^"\n]*)"?/m.exec(osRelease)?.[1] ?? 'Linux',
      systemUUID: systemUuid || machineId,
    },
  };
}
