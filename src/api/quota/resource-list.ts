/** Amounts by resource name (`cpu`, `requests.memory`, `count/jobs.batch`), and arithmetic on them. */
import { parseQuantity, type Quantity } from '#machinery';

export type ResourceList = ReadonlyMap<string, Quantity>;

export const EMPTY: ResourceList = new Map();

/** From the JSON of an object; its quantities have been validated. */
export function resourceList(json: Readonly<Record<string, string>> | undefined): ResourceList {
  if (json === undefined) return EMPTY;
  return new Map(Object.entries(json).map(([name, text]) => [name, parseQuantity(text)]));
}

export function toJson(list: ResourceList): Record<string, string> {
  return Object.fromEntries([...list].map(([name, quantity]) => [name, quantity.toString()]));
}

export function add(a: ResourceList, b: ResourceList): ResourceList {
  const sum = new Map(a);
  for (const [name, quantity] of b) sum.set(name, sum.get(name)?.add(quantity) ?? quantity);
  return sum;
}

/** What is in either; nothing below zero: amounts given back are not charged. */
export function subtractNonNegative(a: ResourceList, b: ResourceList): ResourceList {
  const difference = new Map<string, Quantity>();
  const zero = parseQuantity('0');
  for (const [name, quantity] of a) {
    const rest = b.has(name) ? quantity.sub(b.get(name) ?? zero) : quantity;
    difference.set(name, rest.sign() < 0 ? zero : rest);
  }
  for (const name of b.keys()) if (!difference.has(name)) difference.set(name, zero);
  return difference;
}

/** The larger of each; what is in one alone stays. */
export function max(a: ResourceList, b: ResourceList): ResourceList {
  const largest = new Map(a);
  for (const [name, quantity] of b) {
    const other = largest.get(name);
    if (other === undefined || quantity.compare(other) > 0) largest.set(name, quantity);
  }
  return largest;
}

/** Those named in `names`. */
export function mask(list: ResourceList, names: Iterable<string>): ResourceList {
  const kept = new Set(names);
  return new Map([...list].filter(([name]) => kept.has(name)));
}

export const withoutZeros = (list: ResourceList): ResourceList =>
  new Map([...list].filter(([, quantity]) => !quantity.isZero()));

export function equals(a: ResourceList, b: ResourceList): boolean {
  if (a.size !== b.size) return false;
  for (const [name, quantity] of a) {
    const other = b.get(name);
    if (other === undefined || quantity.compare(other) !== 0) return false;
  }
  return true;
}

/** `a=1,b=2Gi`, sorted. */
export const describe = (list: ResourceList): string =>
  [...list]
    .map(([name, quantity]) => `${name}=${quantity.toString()}`)
    .sort()
    .join(',');
