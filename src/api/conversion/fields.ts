/** Loosely typed access for conversions: both sides are checked by their schemas, before and after. */

export type Fields = Readonly<Record<string, unknown>>;

const NONE: Fields = {};

/** The object in a field; empty when there is none. */
export function objectIn(fields: Fields | undefined, name: string): Fields {
  const value = fields?.[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : NONE;
}

/** The list of objects in a field; empty when there is none. */
export function listIn(fields: Fields | undefined, name: string): readonly Fields[] {
  const value = fields?.[name];
  return Array.isArray(value) ? (value as readonly Fields[]) : [];
}

/** A field changed by a function; left alone when it is not there. */
export function mapField(fields: Fields, name: string, change: (value: Fields) => Fields): Fields {
  return fields[name] === undefined ? fields : { ...fields, [name]: change(objectIn(fields, name)) };
}

export function mapList(fields: Fields, name: string, change: (item: Fields) => Fields): Fields {
  return Array.isArray(fields[name]) ? { ...fields, [name]: listIn(fields, name).map(change) } : fields;
}
