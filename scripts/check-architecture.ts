/**
 * Holds `src/` against `architecture-rules.ts`: import direction, doors, banned modules and globals, file length.
 * Prints one line per breach; exit code 1 when there is any. `node scripts/check-architecture.ts`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ASSEMBLERS,
  BANNED_GLOBALS,
  BANNED_MODULES,
  EXCEPTIONS,
  MACHINE_ROOMS,
  MAY_IMPORT,
} from './architecture-rules.ts';

const MAX_LINES = 800;
const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src');

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** Blanks comments and string contents, keeping line numbers. Template literals keep their `${}` code. */
export function codeOnly(text: string): string {
  return text.replaceAll(
    /\/\*[\s\S]*?\*\/|(?<![:\\])\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g,
    (match) => match.replaceAll(/[^\n]/g, ' '),
  );
}

function roomOf(file: string): string {
  const [first = '', second = ''] = relative(source, file).split('/');
  return first === 'platform' && second === 'node' ? 'platform/node' : first;
}

function checkImport(file: string, room: string, specifier: string): string | undefined {
  const isTest = /\.(test|contract|fixture)\.ts$|\/fixtures\//.test(file);
  if (specifier.startsWith('.')) {
    const target = resolve(dirname(file), specifier);
    const targetRoom = target.startsWith(source) ? roomOf(target) : undefined;
    if (targetRoom === room || (room === 'platform/node' && targetRoom === 'platform')) return undefined;
    if (isTest && targetRoom === undefined) return undefined;
    return `reaches into ${targetRoom ?? 'a folder outside src'} by path: use its door (#${targetRoom ?? '…'})`;
  }
  if (specifier.startsWith('#')) {
    const target = specifier.slice(1);
    if (target === room) return 'imports its own door: use a relative path';
    if (isTest || ASSEMBLERS.includes(room) || room === 'platform/node') return undefined;
    if (MAY_IMPORT[room]?.includes(target) === true) return undefined;
    return `${room} may not import ${target}`;
  }
  if (BANNED_MODULES.includes(specifier) && !isTest && !MACHINE_ROOMS.includes(room)) {
    return `${specifier} is for ${MACHINE_ROOMS.join(', ')}: take the interface from #platform`;
  }
  return undefined;
}

function checkFile(file: string): readonly string[] {
  const text = readFileSync(file, 'utf8');
  const name = relative(root, file);
  if (EXCEPTIONS[name] !== undefined) return [];
  const room = roomOf(file);
  const problems: string[] = [];
  for (const match of text.matchAll(IMPORT)) {
    const problem = checkImport(file, room, match[1] ?? match[2] ?? '');
    if (problem !== undefined) problems.push(`${name}: ${problem}`);
  }
  const lines = text.split('\n').length;
  if (lines > MAX_LINES && !name.startsWith('src/api/types/')) {
    problems.push(`${name}: ${lines} lines; past ${MAX_LINES} a file is two ideas`);
  }
  if (MACHINE_ROOMS.includes(room) || /\.(test|contract|fixture)\.ts$|\/fixtures\//.test(file))
    return problems;
  for (const [index, line] of codeOnly(text).split('\n').entries()) {
    for (const [pattern, instead] of BANNED_GLOBALS) {
      if (pattern.test(line)) problems.push(`${name}:${index + 1}: ${pattern.source}: use ${instead}`);
    }
  }
  return problems;
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith('api/types/'))
  .map((path) => join(source, path));
const problems = files.flatMap(checkFile);
for (const problem of problems) console.log(problem);
if (problems.length > 0) {
  console.log(`${problems.length} breaches of the architecture rules`);
  process.exitCode = 1;
}
