/**
 * The part of kubectl's JSONPath that printer columns and selectable fields use:
 * `.spec.replicas`, `.metadata.labels['app']`, `.status.conditions[?(@.type=="Ready")].status`, `.spec.items[*].name`.
 */

type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'all' }
  | { readonly type: 'filter'; readonly path: readonly Step[]; readonly op: string; readonly value: unknown };

export type JsonPath = (value: unknown) => readonly unknown[];

/** @throws SyntaxError naming the expression. */
export function compileJsonPath(expression: string): JsonPath {
  const trimmed =
    expression.startsWith('{') && expression.endsWith('}') ? expression.slice(1, -1) : expression;
  const steps = parseSteps(trimmed, expression);
  return (value) => walk([value], steps);
}

const NAME = /^\.?((?:\\.|[^.[\]'"()?=<>!\s\\])+)/;
const QUOTED = /^\[(['"])(.*?)\1\]/;
const INDEX = /^\[(-?\d+)\]/;
const FILTER = /^\[\?\(\s*@([^=!<>]*?)\s*(==|!=|<=|>=|<|>)\s*(?:"([^"]*)"|'([^']*)'|([^)\s]+))\s*\)\]/;

function parseSteps(text: string, whole: string): readonly Step[] {
  const steps: Step[] = [];
  let rest = text.startsWith('$') ? text.slice(1) : text;
  while (rest !== '' && rest !== '.') {
    const [step, length] = nextStep(rest, whole);
    steps.push(step);
    rest = rest.slice(length);
  }
  return steps;
}

function nextStep(rest: string, whole: string): readonly [Step, number] {
  if (rest.startsWith('[*]') || rest.startsWith('.*')) return [{ type: 'all' }, rest.startsWith('.') ? 2 : 3];
  const filter = FILTER.exec(rest);
  if (filter !== null) {
    const [all, path = '', op = '==', double, single, bare] = filter;
    const value = double ?? single ?? literal(bare ?? '');
    return [{ type: 'filter', path: parseSteps(path, whole), op, value }, all.length];
  }
  const quoted = QUOTED.exec(rest);
  if (quoted?.[2] !== undefined) return [{ type: 'field', name: quoted[2] }, quoted[0].length];
  const index = INDEX.exec(rest);
  if (index !== null) return [{ type: 'index', index: Number(index[1]) }, index[0].length];
  const name = NAME.exec(rest);
  if (name?.[1] !== undefined) return [{ type: 'field', name: name[1].replaceAll('\\', '') }, name[0].length];
  throw new SyntaxError(`unsupported JSONPath ${JSON.stringify(whole)}`);
}

function literal(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return text !== '' && !Number.isNaN(Number(text)) ? Number(text) : text;
}

function walk(values: readonly unknown[], steps: readonly Step[]): readonly unknown[] {
  let current = values;
  for (const step of steps) current = current.flatMap((value) => follow(value, step));
  return current;
}

function follow(value: unknown, step: Step): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const members = value as Readonly<Record<string, unknown>>;
  switch (step.type) {
    case 'field':
      return Object.hasOwn(members, step.name) ? [members[step.name]] : [];
    case 'index':
      return Array.isArray(value) ? value.slice(step.index).slice(0, 1) : [];
    case 'all':
      return Object.values(members);
    case 'filter':
      return Array.isArray(value) ? value.filter((item) => satisfies(walk([item], step.path)[0], step)) : [];
    default:
      return step satisfies never;
  }
}

function satisfies(actual: unknown, { op, value }: Extract<Step, { type: 'filter' }>): boolean {
  if (actual === undefined) return false;
  if (op === '==') return actual === value;
  if (op === '!=') return actual !== value;
  const order = Number(actual) - Number(value);
  if (op === '<') return order < 0;
  if (op === '<=') return order <= 0;
  return op === '>' ? order > 0 : order >= 0;
}
