/**
 * Builds upstream's own programs from their Go modules, as test tools: never a runtime dependency, never committed.
 * They land in a cache folder outside the tree and are built once per version.
 *
 * `node test/upstream/build.ts [name …]` builds those named, or prints what there is.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const KUBERNETES_VERSION = 'v1.36.3';
const here = fileURLToPath(new URL('.', import.meta.url));
const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'k8ts', 'upstream', 'bin');

interface Program {
  readonly module: 'kubernetes' | 'etcd';
  readonly packagePath: string;
  /** Built with `go test -c` instead of `go build`. */
  readonly test?: boolean;
  readonly static?: boolean;
}

export const PROGRAMS = {
  etcd: { module: 'etcd', packagePath: '.' },
  'kube-apiserver': { module: 'kubernetes', packagePath: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  'kube-controller-manager': {
    module: 'kubernetes',
    packagePath: 'k8s.io/kubernetes/cmd/kube-controller-manager',
  },
  'kube-scheduler': { module: 'kubernetes', packagePath: 'k8s.io/kubernetes/cmd/kube-scheduler' },
  kubectl: { module: 'kubernetes', packagePath: 'k8s.io/kubernetes/cmd/kubectl' },
  'e2e.test': { module: 'kubernetes', packagePath: 'k8s.io/kubernetes/test/e2e', test: true },
  agnhost: { module: 'kubernetes', packagePath: 'k8s.io/kubernetes/test/images/agnhost', static: true },
  nonewprivs: { module: 'kubernetes', packagePath: 'k8s.io/kubernetes/test/images/nonewprivs', static: true },
} as const satisfies Record<string, Program>;

export type ProgramName = keyof typeof PROGRAMS;

/** Where the program is or will be. */
export const programPath = (name: ProgramName): string => join(folder, name);

export const isBuilt = (name: ProgramName): boolean => existsSync(programPath(name));

/** The path of the built program. @throws with the end of Go's output when it cannot be built. */
export function ensureProgram(name: ProgramName): string {
  if (isBuilt(name)) return programPath(name);
  const program: Program = PROGRAMS[name];
  mkdirSync(folder, { recursive: true });
  const output = `${programPath(name)}.building`;
  const version = `-X k8s.io/component-base/version.gitVersion=${KUBERNETES_VERSION}`;
  const flags = ['-ldflags', `-s -w ${program.module === 'kubernetes' ? version : ''}`, '-o', output];
  console.error(`• building ${name} from its Go module (minutes the first time) …`);
  const result = spawnSync(
    'go',
    [...(program.test === true ? ['test', '-c'] : ['build']), ...flags, program.packagePath],
    {
      cwd: join(here, program.module),
      env: {
        ...process.env,
        GOFLAGS: '-mod=mod -buildvcs=false',
        ...(program.static === true ? { CGO_ENABLED: '0' } : {}),
      },
      encoding: 'utf8',
    },
  );
  if (result.status !== 0) {
    throw new Error(`building ${name} failed: ${result.error?.message ?? result.stderr.slice(-2000)}`);
  }
  renameSync(output, programPath(name));
  return programPath(name);
}

if (import.meta.main) {
  const names = process.argv.slice(2) as ProgramName[];
  for (const name of names) console.log(ensureProgram(name));
  if (names.length === 0) {
    for (const name of Object.keys(PROGRAMS) as ProgramName[]) {
      console.log(`${isBuilt(name) ? 'built  ' : 'missing'} ${programPath(name)}`);
    }
  }
}
