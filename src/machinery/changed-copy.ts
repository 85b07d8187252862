/** Changing objects that are shared: copies along the path, everything else is the same reference. */

type Fields = Readonly<Record<string, unknown>>;

/**
 * The object with one field set, or taken away when `value` is undefined. The same reference when the field
 * already is that.
 */
export function withField<T extends object>(object: T, field: string, value: unknown): T {
  const fields = object as Fields;
  if (fields[field] === value && (value !== undefined || !Object.hasOwn(object, field))) return object;
  const copy: Record<string, unknown> = { ...fields };
  if (value === undefined) delete copy[field];
  else copy[field] = value;
  // Same fields as before but for one that the caller names.
  return copy as T;
}

/** The value at a path of field names; undefined when something on the way is missing or not an object. */
export function getPath(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Fields)[name];
  }
  return value;
}

/**
 * The object with the value at a path of field names set (undefined: taken away). Missing objects on the way are
 * made, unless there is nothing to set.
 */
export function setPath<T extends object>(object: T, path: readonly string[], value: unknown): T {
  const [name, ...rest] = path;
  if (name === undefined) return object;
  if (rest.length === 0) return withField(object, name, value);
  const child = (object as Fields)[name];
  const isObject = typeof child === 'object' && child !== null;
  if (!isObject && value === undefined) return object;
  return withField(object, name, setPath(isObject ? child : {}, rest, value));
}
