/**
 * One step of a field path, in the form `metadata.managedFields` writes it:
 * `f:name` a field, `k:{"name":"web"}` a list item by its keys, `v:"a"` a set item by its value, `i:0` an item by
 * its index. The text is the identity of the step everywhere in this folder, so it must be canonical: keys sorted
 * by name, JSON as Go writes it.
 */
import { compareText } from './compare-text.ts';

/** `'.'` in a field tree: the parent itself is in the set. */
export const SELF = '.';

export const fieldStep = (name: string): string => `f:${name}`;
export const valueStep = (value: unknown): string => `v:${goJson(value)}`;

/** @param keys in any order. */
export function keyStep(keys: readonly (readonly [string, unknown])[]): string {
  const [only] = keys;
  if (only !== undefined && keys.length === 1) return `k:{${goJson(only[0])}:${goJson(only[1])}}`;
  const sorted = [...keys].sort((a, b) => compareText(a[0], b[0]));
  return `k:{${sorted.map(([name, value]) => `${goJson(name)}:${goJson(value)}`).join(',')}}`;
}

export const isFieldStep = (step: string): boolean => step.startsWith('f:');
export const isKeyStep = (step: string): boolean => step.startsWith('k:');
export const stepField = (step: string): string => step.slice(2);

/**
 * The canonical form of a step that a client or the store wrote; undefined for a step of an unknown kind, which a
 * newer server may have written and which is dropped.
 * @throws Error when it is no step at all.
 */
export function canonicalStep(step: string): string | undefined {
  if (step.length < 2) throw new Error('key must be 2 characters long:');
  if (step[1] !== ':') throw new Error(`missing colon: ${step}`);
  switch (step[0]) {
    case 'f':
      return step;
    case 'v':
      return valueStep(JSON.parse(step.slice(2)));
    case 'k':
      return keyStep(Object.entries(JSON.parse(step.slice(2)) as Record<string, unknown>));
    case 'i':
      if (!/^i:[+-]?\d+$/.test(step)) throw new Error(`parsing "${step.slice(2)}": invalid syntax`);
      return `i:${Number(step.slice(2))}`;
    default:
      return undefined;
  }
}

/** As conflict messages print it: `.spec`, `[name="web"]`, `[="a"]`, `[0]`. */
export function printStep(step: string): string {
  switch (step[0]) {
    case 'k': {
      const keys = Object.entries(JSON.parse(step.slice(2)) as Record<string, unknown>);
      return `[${keys.map(([name, value]) => `${name}=${printValue(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${printValue(JSON.parse(step.slice(2)))}]`;
    case 'i':
      return `[${step.slice(2)}]`;
    default:
      return `.${step.slice(2)}`;
  }
}

export const printPath = (path: readonly string[]): string => path.map(printStep).join('');

const KIND_ORDER = '.fkvi';

/** Fields before keys before values before indices; each by its content. */
export function compareSteps(a: string, b: string): number {
  const kind = a[0] ?? '';
  if (kind !== b[0]) return KIND_ORDER.indexOf(kind) - KIND_ORDER.indexOf(b[0] ?? '');
  if (kind === 'f' || kind === '.') return compareText(a, b);
  return compareContent(contentOf(a), contentOf(b));
}

/** What orders a step among its like: its scalar, or the names and values of its keys. */
type Content =
  | { readonly keys: readonly (readonly [name: string, value: unknown])[] }
  | { readonly scalar: unknown };

/** Contents of steps that were compared before; started afresh when full. */
const MAX_KNOWN_CONTENTS = 2_048;
const contents = new Map<string, Content>();

function contentOf(step: string): Content {
  let content = contents.get(step);
  if (content === undefined) {
    const value: unknown = JSON.parse(step.slice(2));
    content =
      typeof value === 'object' && value !== null ? { keys: Object.entries(value) } : { scalar: value };
    if (contents.size >= MAX_KNOWN_CONTENTS) contents.clear();
    contents.set(step, content);
  }
  return content;
}

function compareContent(a: Content, b: Content): number {
  if (!('keys' in a) || !('keys' in b)) {
    return compareScalars('keys' in a ? a.keys : a.scalar, 'keys' in b ? b.keys : b.scalar);
  }
  for (let i = 0; i < Math.min(a.keys.length, b.keys.length); i++) {
    const [left, right] = [a.keys[i], b.keys[i]];
    if (left === undefined || right === undefined) break;
    const order = compareText(left[0], right[0]) || compareScalars(left[1], right[1]);
    if (order !== 0) return order;
  }
  return a.keys.length - b.keys.length;
}

const SCALAR_ORDER: readonly string[] = ['number', 'string', 'boolean', 'object'];

function compareScalars(a: unknown, b: unknown): number {
  if (typeof a !== typeof b) return SCALAR_ORDER.indexOf(typeof a) - SCALAR_ORDER.indexOf(typeof b);
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  return Number(a) - Number(b);
}

function printValue(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** JSON as Go's encoder writes it: the characters that are unsafe in HTML are escaped. */
function goJson(value: unknown): string {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string' && /^[\w ./:@-]*$/.test(value)) return `"${value}"`;
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
