/** Objects as `meta.k8s.io/v1` Table: what `kubectl get` prints. */
import type { TableColumn } from '#api';
import type { KubeObject } from '#machinery';
import type { ServedResource } from '../registry/served-resource.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

interface TableRow {
  readonly cells: readonly unknown[];
  readonly object: unknown;
}

/** `version`: of meta.k8s.io, v1 or v1beta1. */
export interface TableRequest {
  readonly includeObject: IncludeObject;
  readonly version: string;
}

const NAME: TableColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name of the object, unique within its namespace and resource.',
  priority: 0,
  cell: ({ metadata }) => metadata.name ?? '',
};

const CREATED_AT: TableColumn = {
  name: 'Created At',
  type: 'date',
  description: 'When the object was created, on the clock of the server.',
  priority: 0,
  cell: ({ metadata }) => metadata.creationTimestamp ?? '',
};

const DEFAULT_COLUMNS = [NAME, CREATED_AT];

export function columnsOf(served: ServedResource): readonly TableColumn[] {
  return served.columns ?? DEFAULT_COLUMNS;
}

/** `storedObjects` in their storage version, which columns read; `inVersion` gives the form that rows carry. */
export function tableOf(
  served: ServedResource,
  objects: readonly KubeObject[],
  metadata: object,
  request: TableRequest,
  nowMs: number,
): object {
  const columns = columnsOf(served);
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${request.version}`,
    metadata,
    columnDefinitions: columns.map(({ name, type, format = '', description, priority }) => ({
      name,
      type,
      format,
      description,
      priority,
    })),
    rows: objects.map((object) => rowOf(served, columns, object, request, nowMs)),
  };
}

function rowOf(
  served: ServedResource,
  columns: readonly TableColumn[],
  object: KubeObject,
  request: TableRequest,
  nowMs: number,
): TableRow {
  return {
    cells: columns.map(({ cell }) => cell(object, nowMs)),
    object: embedded(served, object, request),
  };
}

function embedded(served: ServedResource, object: KubeObject, request: TableRequest): unknown {
  switch (request.includeObject) {
    case 'None':
      return null;
    case 'Object':
      return served.fromStorage(object);
    case 'Metadata':
      return partialMetadata(object, request.version);
    default:
      return request.includeObject satisfies never;
  }
}

/** Any object as its metadata alone. */
export function partialMetadata(object: KubeObject, version: string): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const asked = query.get('includeObject');
  return asked === 'None' || asked === 'Object' ? asked : 'Metadata';
}
