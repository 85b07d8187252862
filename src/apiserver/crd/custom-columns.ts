/** `additionalPrinterColumns` as table columns. */
import { type apiextensionsV1, humanDuration, type TableColumn } from '#api';
import type { KubeObject } from '#machinery';
import { compileJsonPath, type JsonPath } from './json-path.ts';

type Column = apiextensionsV1.CustomResourceColumnDefinition;

const NAME: TableColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name of the object, unique within its namespace and resource.',
  priority: 0,
  cell: ({ metadata }) => metadata.name ?? '',
};

const AGE: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

export function customColumns(columns: readonly Column[] | undefined): readonly TableColumn[] {
  return [NAME, ...(columns === undefined || columns.length === 0 ? [AGE] : columns).map(columnOf)];
}

function columnOf(column: Column): TableColumn {
  const path = compilePath(column.jsonPath);
  return {
    name: column.name,
    // Ages are printed by the server; what is left for the client is text.
    type: column.type as TableColumn['type'],
    ...(column.format === undefined ? {} : { format: column.format }),
    description: column.description ?? '',
    priority: column.priority ?? 0,
    cell: (object, nowMs) => cellOf(column.type, path(object), nowMs),
  };
}

/** A column whose path this server cannot read stays empty. */
function compilePath(expression: string): JsonPath {
  try {
    return compileJsonPath(expression);
  } catch {
    return () => [];
  }
}

function cellOf(type: string, values: readonly unknown[], nowMs: number): string | number | boolean | null {
  const [value] = values;
  if (value === undefined || value === null) return type === 'date' ? '<unknown>' : null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return ageOf(value, nowMs);
    default:
      return values.map(textOf).join(',');
  }
}

function ageOf(value: unknown, nowMs: number): string {
  const then = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(then) ? '<invalid>' : humanDuration(nowMs - then);
}

/** `.spec.color` as a field selector names it: `spec.color`. */
export function selectableFieldsOf(
  fields: readonly apiextensionsV1.SelectableField[] | undefined,
): ((object: KubeObject) => Readonly<Record<string, string>>) | undefined {
  if (fields === undefined || fields.length === 0) return undefined;
  const paths = fields.map(({ jsonPath }) => ({
    name: jsonPath.replace(/^\./, ''),
    path: compilePath(jsonPath),
  }));
  return (object) =>
    Object.fromEntries(
      paths.map(({ name, path }) => {
        const [value] = path(object);
        return [name, value === undefined || value === null ? '' : textOf(value)];
      }),
    );
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
