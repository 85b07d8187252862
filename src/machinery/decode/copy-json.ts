import { DecodeError, MAX_DEPTH } from './decode-context.ts';

/**
 * Sets a key of a plain object, `__proto__` too: assignment would change the prototype instead (and a ConfigMap
 * may well have that key).
 */
export function setKey(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    target[key] = value;
  }
}

/**
 * A deep copy of a JSON value, so that no part of what a caller handed in stays shared.
 * With `sortKeys`, objects are in the order in which Go prints maps.
 */
export function copyJson(value: unknown, sortKeys: boolean, depth = 0): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new DecodeError('json: cannot unmarshal number into Go value of type float64');
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) throw new DecodeError('exceeded max depth');
  if (Array.isArray(value)) {
    const items = value as readonly unknown[];
    const copy: unknown[] = [];
    for (let i = 0; i < items.length; i++) copy.push(copyJson(items[i], sortKeys, depth + 1) ?? null);
    return copy;
  }
  const source = value as Readonly<Record<string, unknown>>;
  const copy: Record<string, unknown> = {};
  if (sortKeys) {
    for (const key of Object.keys(source).sort()) setKey(copy, key, copyJson(source[key], true, depth + 1));
  } else {
    for (const key in source) setKey(copy, key, copyJson(source[key], false, depth + 1));
  }
  return copy;
}
