/** Lists of type `set` and `map` in a custom resource have no two items with the same value or keys. */
import { duplicate, type FieldError, invalid } from '../field-error.ts';
import { additionalOf, itemsOf, propertyOf, type SchemaDefinition } from './definition.ts';

export function listErrors(
  definition: SchemaDefinition,
  value: unknown,
  path: string,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  collect(definition, value, path, errors);
  return errors;
}

function collect(definition: SchemaDefinition, value: unknown, path: string, errors: FieldError[]): void {
  if (Array.isArray(value)) {
    collectList(definition, value, path, errors);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const additional = additionalOf(definition);
  for (const [name, member] of Object.entries(value)) {
    const property = propertyOf(definition, name);
    if (property !== undefined) collect(property, member, path === '' ? name : `${path}.${name}`, errors);
    else if (additional !== undefined) collect(additional, member, `${path}[${name}]`, errors);
  }
}

function collectList(
  definition: SchemaDefinition,
  items: readonly unknown[],
  path: string,
  errors: FieldError[],
): void {
  const listType = definition['x-kubernetes-list-type'];
  if (listType === 'set') {
    reportRepeated(items, path, errors);
  } else if (listType === 'map') {
    const keys = definition['x-kubernetes-list-map-keys'] ?? [];
    const stray = items.findIndex(
      (item) => item !== null && (typeof item !== 'object' || Array.isArray(item)),
    );
    if (stray >= 0) {
      errors.push(
        invalid(`${path}[${stray}]`, items[stray], 'must be an object for an array of list-type map'),
      );
    } else {
      reportRepeated(
        items.map((item) => keysOf(item, keys)),
        path,
        errors,
      );
    }
  }
  const schema = itemsOf(definition);
  if (schema === undefined) return;
  for (const [i, item] of items.entries()) collect(schema, item, `${path}[${i}]`, errors);
}

function keysOf(item: unknown, keys: readonly string[]): Readonly<Record<string, unknown>> {
  const members = (item ?? {}) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    keys.filter((key) => Object.hasOwn(members, key)).map((key) => [key, members[key]]),
  );
}

/** Reports the second appearance of a value, and no further ones. */
function reportRepeated(values: readonly unknown[], path: string, errors: FieldError[]): void {
  const counts = new Map<string, number>();
  for (const [i, value] of values.entries()) {
    const text = JSON.stringify(value, sortKeys);
    const count = (counts.get(text) ?? 0) + 1;
    counts.set(text, count);
    if (count === 2) errors.push(duplicate(`${path}[${i}]`, value));
  }
}

function sortKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
