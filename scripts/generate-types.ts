/**
 * Writes `src/api/types/`: one file of TypeScript interfaces per API package, from `src/api/schema/facts.json`.
 *
 * Run with `node scripts/generate-types.ts`; `npm run check` fails when the files are out of date.
 *
 * Shape rules:
 * - Everything is `readonly`: an object read from the API is shared and never mutated.
 * - A field is optional unless it is required, or Go would always print it (not a pointer, no omitempty).
 * - Objects as read from the API server always carry `metadata` with name, uid, resourceVersion and
 *   creationTimestamp, and `spec`/`status` where those are plain structs; so these are not optional.
 *   What a caller sends to create is a `Draft` (see `src/api/draft.ts`).
 * - Lists that may be empty and that Go prints all the same can be `null` (MAY_BE_NULL).
 * - int64 is `number`; Quantity is `string` (the decoder canonicalises numbers); IntOrString is `number | string`.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

type Row = readonly [name: string, type: string, flags: string, proto: number, extras?: { en?: string }];
interface Facts {
  readonly t: Readonly<Record<string, readonly [readonly Row[]]>>;
  readonly wraps: Readonly<Record<string, string>>;
  readonly enums: Readonly<Record<string, readonly string[]>>;
}

const SCALARS: Readonly<Record<string, string>> = {
  s: 'string',
  b: 'boolean',
  i32: 'number',
  i64: 'number',
  u32: 'number',
  f64: 'number',
  bytes: 'string',
  qty: 'string',
  time: 'string',
  microtime: 'string',
  dur: 'string',
  ios: 'number | string',
  raw: 'unknown',
  fieldsv1: 'Readonly<Record<string, unknown>>',
};
const ALWAYS_READ = new Set(['name', 'uid', 'resourceVersion', 'creationTimestamp']);

const root = fileURLToPath(new URL('..', import.meta.url));
const facts = JSON.parse(readFileSync(`${root}/src/api/schema/facts.json`, 'utf8')) as Facts;
const fileOf = (pkg: string): string => pkg.replaceAll('/', '-');
const packages = new Map<string, string[]>();
for (const id of Object.keys(facts.t)) {
  const pkg = id.slice(0, id.lastIndexOf('.'));
  packages.set(pkg, [...(packages.get(pkg) ?? []), id]);
}

function tsType(type: string, pkg: string, imports: Map<string, string>): string {
  if (type.startsWith('[]')) {
    const item = tsType(type.slice(2), pkg, imports);
    return item.includes('|') || item.startsWith('readonly ')
      ? `ReadonlyArray<${item}>`
      : `readonly ${item}[]`;
  }
  if (type.startsWith('{}')) return `Readonly<Record<string, ${tsType(type.slice(2), pkg, imports)}>>`;
  if (!type.startsWith('#')) return SCALARS[type] ?? 'unknown';
  const id = type.slice(1);
  const wrapped = facts.wraps[id];
  if (wrapped !== undefined) return tsType(wrapped, pkg, imports);
  const dot = id.lastIndexOf('.');
  const name = id.slice(dot + 1);
  if (facts.t[id] === undefined) return 'unknown';
  if (id.slice(0, dot) === pkg) return name;
  const alias = `${name}_${fileOf(id.slice(0, dot)).replaceAll('-', '_')}`;
  imports.set(alias, `import type { ${name} as ${alias} } from './${fileOf(id.slice(0, dot))}.ts';`);
  return alias;
}

function isOptional(id: string, row: Row, topLevel: boolean): boolean {
  const [name, type, flags] = row;
  if (id === 'meta/v1.ObjectMeta' && ALWAYS_READ.has(name)) return false;
  if (flags.includes('r') && !flags.includes('p')) return false;
  if (
    topLevel &&
    type.startsWith('#') &&
    !flags.includes('p') &&
    ['metadata', 'spec', 'status'].includes(name)
  ) {
    return false;
  }
  return flags.includes('e') || flags.includes('z') || flags.includes('p');
}

/**
 * Lists that Go prints as `null` when they are empty (no `omitempty`), and that validation lets be empty. Others of
 * the kind, such as a pod's containers, never reach a reader empty.
 */
const MAY_BE_NULL = new Set([
  'discovery/v1.EndpointSlice.endpoints',
  'discovery/v1.EndpointSlice.ports',
  'rbac/v1.Role.rules',
  'rbac/v1.ClusterRole.rules',
  'storage/v1.CSINodeSpec.drivers',
]);

function renderType(id: string, pkg: string, imports: Map<string, string>): string {
  const rows = facts.t[id]?.[0] ?? [];
  const topLevel = rows.some(([name, type]) => name === '' && type === '#meta/v1.TypeMeta');
  const lines: string[] = [];
  const render = (row: Row): void => {
    const [name, type, flags, , extras] = row;
    if (flags.includes('I') && name === '') {
      if (type === '#meta/v1.TypeMeta') {
        lines.push(`  readonly apiVersion: string;`, `  readonly kind: string;`);
        return;
      }
      for (const inner of facts.t[type.slice(1)]?.[0] ?? []) render(inner);
      return;
    }
    let ts = tsType(type, pkg, imports);
    if (MAY_BE_NULL.has(`${id}.${name}`)) ts = `${ts} | null`;
    if (!topLevel && type === '#meta/v1.ObjectMeta') ts = `Partial<${ts}>`;
    const values = extras?.en === undefined ? undefined : facts.enums[extras.en];
    if (values !== undefined && values.length > 0 && type === 's') {
      ts = values.map((value) => `'${value}'`).join(' | ');
    }
    lines.push(
      `  readonly ${/^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`}${isOptional(id, row, topLevel) ? '?' : ''}: ${ts};`,
    );
  };
  for (const row of rows) render(row);
  return `export interface ${id.slice(id.lastIndexOf('.') + 1)} {\n${lines.join('\n')}\n}\n`;
}

const out = `${root}/src/api/types`;
const files = new Map<string, string>();
for (const [pkg, ids] of packages) {
  const imports = new Map<string, string>();
  const body = ids.map((id) => renderType(id, pkg, imports)).join('\n');
  const head = '// Generated by scripts/generate-types.ts from src/api/schema/facts.json. Do not edit.\n';
  const importLines = [...imports.values()].sort().join('\n');
  files.set(`${fileOf(pkg)}.ts`, `${head}${importLines}${importLines === '' ? '' : '\n'}\n${body}`);
}
const index = [...packages.keys()]
  .filter((pkg) => pkg.includes('/'))
  .map((pkg) => {
    const alias = pkg.replace(/\/v/, 'V').replaceAll(/[^A-Za-z0-9]/g, '');
    return `export type * as ${alias} from './${fileOf(pkg)}.ts';`;
  })
  .sort();
files.set('index.ts', `// Generated by scripts/generate-types.ts. Do not edit.\n${index.join('\n')}\n`);

if (process.argv.includes('--check')) {
  const stale = [...files].filter(
    ([name, text]) => !existsSync(`${out}/${name}`) || readFileSync(`${out}/${name}`, 'utf8') !== text,
  );
  for (const [name] of stale)
    console.log(`src/api/types/${name} is out of date: run scripts/generate-types.ts`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const [name, text] of files) writeFileSync(`${out}/${name}`, text);
}
