/** The `scale` subresource: the replica count of a workload behind one shape, `autoscaling/v1` Scale. */
import { schemaOf } from '#api';
import {
  badRequest,
  internalError,
  invalid,
  invalidObject,
  type KubeObject,
  type StructSchema,
} from '#machinery';
import type { ScalePaths } from './scale-paths.ts';
import type { BodyKind } from './served-resource.ts';

export interface Scale extends KubeObject {
  readonly spec: { readonly replicas?: number };
  readonly status: { readonly replicas: number; readonly selector?: string };
}

export const SCALE_KIND: BodyKind = {
  apiVersion: 'autoscaling/v1',
  kind: 'Scale',
  get schema(): StructSchema {
    const schema = schemaOf({ group: 'autoscaling', version: 'v1', kind: 'Scale' });
    if (schema === undefined) throw internalError('the schema facts have no autoscaling/v1 Scale');
    return schema;
  },
};

export function scaleOf(object: KubeObject, paths: ScalePaths): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.selector === undefined ? '' : selectorText(valueAt(object, paths.selector));
  const replicas = Number(valueAt(object, paths.specReplicas) ?? 0);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid,
      resourceVersion,
      creationTimestamp,
    },
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: Number(valueAt(object, paths.statusReplicas) ?? 0),
      ...(selector === '' ? {} : { selector }),
    },
  };
}

/** The object with the Scale's replica count; the Scale's resourceVersion, if it has one, guards it. */
export function withScale(object: KubeObject, scale: Scale, paths: ScalePaths): KubeObject {
  const name = object.metadata.name ?? '';
  const own = scale.metadata.name ?? '';
  if (own !== '' && own !== name) {
    throw badRequest(`the name of the object (${own}) does not match the name on the URL (${name})`);
  }
  const replicas = scale.spec.replicas ?? 0;
  if (replicas < 0) {
    const error = invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
    throw invalidObject({ group: 'autoscaling', kind: 'Scale' }, name, [error]);
  }
  const asked = scale.metadata.resourceVersion ?? '';
  const resourceVersion = asked === '' ? object.metadata.resourceVersion : asked;
  const changed = withValueAt(object, paths.specReplicas.split('.').slice(1), replicas) as KubeObject;
  return { ...changed, metadata: { ...object.metadata, resourceVersion } };
}

function valueAt(object: KubeObject, path: string): unknown {
  let value: unknown = object;
  for (const field of path.split('.').slice(1)) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[field];
  }
  return value;
}

function withValueAt(value: unknown, [field, ...rest]: readonly string[], to: unknown): unknown {
  if (field === undefined) return to;
  const object = (typeof value === 'object' && value !== null ? value : {}) as Readonly<
    Record<string, unknown>
  >;
  return { ...object, [field]: withValueAt(object[field], rest, to) };
}

interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** A LabelSelector, the plain map of a ReplicationController, or text, as a selector string. */
function selectorText(selector: unknown): string {
  if (typeof selector === 'string') return selector;
  if (typeof selector !== 'object' || selector === null) return '';
  const { matchLabels, matchExpressions } = selector as LabelSelector;
  const isMap = matchLabels === undefined && matchExpressions === undefined;
  const labels = isMap ? (selector as Readonly<Record<string, string>>) : (matchLabels ?? {});
  const parts = Object.entries(labels).map(([key, value]): [string, string] => [key, `${key}=${value}`]);
  for (const { key, operator, values = [] } of matchExpressions ?? []) {
    parts.push([key, expressionText(key, operator, [...values].sort())]);
  }
  return parts
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, text]) => text)
    .join(',');
}

function expressionText(key: string, operator: string, values: readonly string[]): string {
  switch (operator) {
    case 'In':
      return `${key} in (${values.join(',')})`;
    case 'NotIn':
      return `${key} notin (${values.join(',')})`;
    case 'Exists':
      return key;
    default:
      return `!${key}`;
  }
}
