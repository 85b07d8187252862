/**
 * What there is to list and delete: the built-in resources, and those of established CustomResourceDefinitions. It
 * comes from the schema facts and one informer instead of asking discovery, so a new kind is known at once and nothing
 * polls. Aggregated APIs are not in it.
 */
import { type apiextensionsV1, builtinResources } from '#api';
import { type Informer, type InformerFactory, type ResourceRef, resources } from '#client';
import { apiVersionOf, type KubeObject, parseApiVersion } from '#machinery';

export interface ServedResource extends ResourceRef<KubeObject> {
  readonly verbs: readonly string[];
}

const CUSTOM_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** One row per stored resource: a resource served in two groups or versions is the same objects. */
const builtin: readonly ServedResource[] = [
  ...new Map(
    builtinResources
      .filter((info) => info.servedByDefault)
      .map((info) => [`${info.storage.group}/${info.storage.resource}`, info] as const)
      // The first of a resource is its preferred version; Map keeps the last, so the order is turned.
      .reverse(),
  ).values(),
].reverse();

/** Every served version of every kind, for resolving owner references. */
const builtinKinds = new Map<string, ServedResource>(
  builtinResources
    .filter((info) => info.servedByDefault && info.verbs.includes('get'))
    .map((info) => [`${apiVersionOf(info)}/${info.kind}`, info]),
);

export class ServedResources {
  readonly definitions: Informer<apiextensionsV1.CustomResourceDefinition>;

  constructor(informers: InformerFactory) {
    this.definitions = informers.for(resources.customResourceDefinitions);
  }

  /** Those that have all the verbs. */
  list(...verbs: readonly string[]): readonly ServedResource[] {
    return [...builtin, ...this.definitions.list().flatMap(customResource)].filter((resource) =>
      verbs.every((verb) => resource.verbs.includes(verb)),
    );
  }

  /** Undefined: no such kind is served. */
  find(apiVersion: string, kind: string): ServedResource | undefined {
    const known = builtinKinds.get(`${apiVersion}/${kind}`);
    if (known !== undefined) return known;
    const { group, version } = parseApiVersion(apiVersion);
    for (const definition of this.definitions.list()) {
      const { names, versions } = definition.spec;
      if (definition.spec.group !== group || names.kind !== kind) continue;
      if (!versions.some((served) => served.name === version && served.served)) continue;
      const [resource] = customResource(definition);
      return resource === undefined ? undefined : { ...resource, version };
    }
    return undefined;
  }
}

/** In its stored version if that is served, else in any other. */
export function customResource(
  definition: apiextensionsV1.CustomResourceDefinition,
): readonly ServedResource[] {
  const { group, names, scope, versions } = definition.spec;
  const established = (definition.status?.conditions ?? []).some(
    ({ type, status }) => type === 'Established' && status === 'True',
  );
  const version =
    versions.find(({ served, storage }) => served && storage) ?? versions.find(({ served }) => served);
  if (!established || version === undefined) return [];
  return [
    {
      group,
      version: version.name,
      resource: names.plural,
      kind: names.kind,
      namespaced: scope === 'Namespaced',
      verbs: CUSTOM_VERBS,
    },
  ];
}
