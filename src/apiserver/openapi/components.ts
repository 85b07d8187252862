/** The schemas a document needs: those its operations name and whatever these refer to. */
import type { ResourceInfo } from '#api';
import { builtinTypeSchema } from './builtin-schemas.ts';
import { customKindSchema, customListSchema } from './custom-schemas.ts';
import {
  collectReferences,
  type Dialect,
  type GroupVersionKindExtension,
  type JsonSchema,
} from './json-schema.ts';
import { isCustom, kindSchemaName, type Operation } from './operations.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** @param resources all that are served: a document also names kinds of other groups. */
export function componentSchemas(
  resources: readonly ResourceInfo[],
  operations: readonly Operation[],
  dialect: Dialect,
): Readonly<Record<string, JsonSchema>> {
  const byKind = new Map<string, ResourceInfo[]>();
  for (const info of resources) {
    for (const kind of [info.kind, info.listKind]) byKind.set(kind, [...(byKind.get(kind) ?? []), info]);
  }
  const pending = new Set<string>();
  for (const { body, answer } of operations) {
    if (body !== undefined) pending.add(body);
    if (answer !== undefined) pending.add(answer);
  }
  const schemas: Record<string, JsonSchema> = {};
  // A set grows while it is walked: what a schema refers to is visited in turn.
  for (const name of pending) {
    const kind = name.slice(name.lastIndexOf('.') + 1);
    const owner = byKind.get(kind)?.find((info) => kindSchemaName(info, kind) === name);
    const schema = owner !== undefined && isCustom(owner) ? customSchema(owner, kind, dialect) : undefined;
    const found = schema ?? builtinTypeSchema(name, dialect);
    if (found === undefined) continue;
    const gvks = schema === undefined ? kindExtension(name, kind, owner, resources) : [];
    schemas[name] = gvks.length === 0 ? found : { ...found, 'x-kubernetes-group-version-kind': gvks };
    collectReferences(found, pending);
  }
  return sortedByName(schemas);
}

function customSchema(info: ResourceInfo, kind: string, dialect: Dialect): JsonSchema {
  return kind === info.kind ? customKindSchema(info, dialect) : customListSchema(info, dialect);
}

export function sortedByName<T>(record: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function kindExtension(
  name: string,
  kind: string,
  owner: ResourceInfo | undefined,
  resources: readonly ResourceInfo[],
): readonly GroupVersionKindExtension[] {
  if (owner !== undefined) return [{ group: owner.group, kind, version: owner.version }];
  const shared = SHARED_TYPES[name];
  if (shared !== undefined) return [shared];
  if (name !== DELETE_OPTIONS) return [];
  const served = new Map<string, GroupVersionKindExtension>([['/v1', { group: '', kind, version: 'v1' }]]);
  for (const info of resources) {
    if (isCustom(info)) continue;
    served.set(`${info.group}/${info.version}`, { group: info.group, kind, version: info.version });
  }
  return [...served.values()];
}

/** Every group version has it. */
const DELETE_OPTIONS = `${META}.DeleteOptions`;

/** Kinds that are no resources of their own. */
const SHARED_TYPES: Readonly<Record<string, GroupVersionKindExtension>> = {
  [`${META}.Status`]: { group: '', kind: 'Status', version: 'v1' },
  [`${META}.APIResourceList`]: { group: '', kind: 'APIResourceList', version: 'v1' },
  'io.k8s.api.autoscaling.v1.Scale': { group: 'autoscaling', kind: 'Scale', version: 'v1' },
  'io.k8s.api.policy.v1.Eviction': { group: 'policy', kind: 'Eviction', version: 'v1' },
  'io.k8s.api.authentication.v1.TokenRequest': {
    group: 'authentication.k8s.io',
    kind: 'TokenRequest',
    version: 'v1',
  },
  'io.k8s.api.core.v1.Binding': { group: '', kind: 'Binding', version: 'v1' },
};
