/**
 * Label selectors: the text form of list and watch requests (`app=web,tier in (a,b),!old`), and the object form of
 * specs (`matchLabels`, `matchExpressions`).
 *
 * Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
 */
import { parseLabelRequirements } from './label-selector-parser.ts';

export type LabelOperator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  /** Sorted and distinct when parsed from text. */
  readonly values: readonly string[];
}

/** All requirements must hold; none means everything matches. Sorted by key. */
export interface ParsedLabelSelector {
  readonly requirements: readonly LabelRequirement[];
}

/** `metav1.LabelSelector`, as far as it is read here. */
export interface LabelSelectorObject {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export type Labels = Readonly<Record<string, string>>;

/** @throws StatusError 400 in upstream's words. */
export function parseLabelSelector(text: string): ParsedLabelSelector {
  return { requirements: byKey(parseLabelRequirements(text)) };
}

const byKey = (requirements: readonly LabelRequirement[]): readonly LabelRequirement[] =>
  requirements.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));

const INTEGER = /^[+-]?\d+$/;

function compareIntegers(label: string, value: string): number | undefined {
  if (!INTEGER.test(label) || !INTEGER.test(value)) return undefined;
  const difference = BigInt(label) - BigInt(value);
  if (difference === 0n) return 0;
  return difference > 0n ? 1 : -1;
}

function requirementMatches({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case '=':
    case '==':
    case 'in':
      return value !== undefined && values.includes(value);
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
      return value !== undefined && compareIntegers(value, values[0] ?? '') === 1;
    case 'lt':
      return value !== undefined && compareIntegers(value, values[0] ?? '') === -1;
    default:
      return operator satisfies never;
  }
}

/**
 * Whether labels (absent: none) are selected. A selector object that is absent selects nothing, an empty one
 * everything. To match many objects compile once instead.
 */
export function labelSelectorMatches(
  selector: ParsedLabelSelector | LabelSelectorObject | undefined,
  labels: Labels | undefined,
): boolean {
  if (selector === undefined) return false;
  const requirements = 'requirements' in selector ? selector.requirements : requirementsOf(selector);
  return requirements.every((requirement) => requirementMatches(requirement, labels ?? {}));
}

const OBJECT_OPERATORS: Readonly<Record<string, LabelOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/** @throws Error when an operator is not one of `In`, `NotIn`, `Exists`, `DoesNotExist`. */
export function requirementsOf(selector: LabelSelectorObject): readonly LabelRequirement[] {
  const exact = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): LabelRequirement => ({ key, operator: '=', values: [value] }),
  );
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values }): LabelRequirement => {
    const known = OBJECT_OPERATORS[operator];
    if (known === undefined)
      throw new Error(`${JSON.stringify(operator)} is not a valid label selector operator`);
    return { key, operator: known, values: values ?? [] };
  });
  return byKey([...exact, ...expressions]);
}

/**
 * A predicate for a selector object; see `labelSelectorMatches` for absent and empty ones.
 * @throws Error when an operator is unknown.
 */
export function compileLabelSelector(
  selector: LabelSelectorObject | undefined,
): (labels: Labels | undefined) => boolean {
  if (selector === undefined) return () => false;
  const requirements = requirementsOf(selector);
  return (labels) => requirements.every((requirement) => requirementMatches(requirement, labels ?? {}));
}

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  const list = values.toSorted().join(',');
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${list})`;
    case 'gt':
      return `${key}>${list}`;
    case 'lt':
      return `${key}<${list}`;
    default:
      return `${key}${operator}${list}`;
  }
}

/** The text form, sorted by key: what `status.selector` of a scale holds. '' selects everything. */
export function formatLabelSelector(selector: ParsedLabelSelector | LabelSelectorObject): string {
  const requirements = 'requirements' in selector ? selector.requirements : requirementsOf(selector);
  return requirements.map(formatRequirement).join(',');
}
