/** `npm run check`: format, types, type-aware lint, architecture, generated files. All run; any failure fails. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name: string): string => `${root}/node_modules/.bin/${name}`;
const node = (script: string): readonly string[] => [process.execPath, `${root}/scripts/${script}`];

const checks: readonly (readonly [title: string, command: readonly string[]])[] = [
  ['format', [bin('biome'), 'format', '--max-diagnostics=20']],
  ['types', [bin('tsc'), '-p', root]],
  ['lint', [bin('oxlint'), '--type-aware', '--deny-warnings', 'src', 'test', 'bench', 'scripts']],
  ['architecture', node('check-architecture.ts')],
  ['generated types', [...node('generate-types.ts'), '--check']],
];

export function runChecks(): { readonly passed: number; readonly failed: number } {
  let failed = 0;
  for (const [title, [program = '', ...args]] of checks) {
    const result = spawnSync(program, args, { cwd: root, encoding: 'utf8' });
    if (result.status === 0) {
      console.log(`✔ ${title}`);
    } else {
      failed++;
      console.log(`✖ ${title}\n${result.stdout}${result.stderr}`);
    }
  }
  return { passed: checks.length - failed, failed };
}

if (import.meta.main) process.exitCode = runChecks().failed === 0 ? 0 : 1;
