/** How an item of a merged list is identified. */
import { isJsonObject } from '../patch/json-value.ts';
import type { ListForm } from './apply-type.ts';
import { keyStep, valueStep } from './path-element.ts';

/** @throws Error in upstream's words when the item cannot be identified. */
export function itemStep(list: ListForm, item: unknown): string {
  return list.keys.length > 0 ? keyedItemStep(list, item) : setItemStep(item);
}

function keyedItemStep(list: ListForm, item: unknown): string {
  if (item === null) throw new Error('associative list with keys may not have a null element');
  if (!isJsonObject(item)) throw new Error('associative list with keys may not have non-map elements');
  const [onlyKey] = list.keys;
  if (onlyKey !== undefined && list.keys.length === 1 && Object.hasOwn(item, onlyKey)) {
    return keyStep([[onlyKey, item[onlyKey]]]);
  }
  const keys: [string, unknown][] = [];
  for (const key of list.keys) {
    const value = Object.hasOwn(item, key) ? item[key] : list.keyDefault(key);
    if (value !== undefined) keys.push([key, value]);
  }
  if (keys.length === 0) {
    const names = list.keys.map((key) => JSON.stringify(key)).join(' ');
    throw new Error(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return keyStep(keys);
}

function setItemStep(item: unknown): string {
  if (item === null) {
    throw new Error("associative list without keys has an element that's an explicit null");
  }
  if (Array.isArray(item)) throw new Error('not supported: associative list with lists as elements');
  if (typeof item === 'object') {
    throw new Error("associative list without keys has an element that's a map type");
  }
  return valueStep(item);
}

/** The step of a list already validated; undefined for an item that has none. */
export function knownItemStep(list: ListForm, item: unknown): string | undefined {
  try {
    return itemStep(list, item);
  } catch {
    return undefined;
  }
}
