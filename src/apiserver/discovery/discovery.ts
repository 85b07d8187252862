/** What is served: the legacy documents per group and version, and the aggregated one that kubectl reads first. */
import { createHash } from 'node:crypto';
import { apiVersionOf, type ResourceTarget } from '#machinery';
import type { ResourceInfo } from '#api';
import { compareGroups, compareVersions } from './group-priority.ts';

interface GroupVersions {
  readonly group: string;
  /** Preferred first. */
  readonly versions: readonly string[];
  readonly resources: ReadonlyMap<string, readonly ResourceInfo[]>;
}

export function groupsOf(infos: readonly ResourceInfo[]): readonly GroupVersions[] {
  const groups = new Map<string, Map<string, ResourceInfo[]>>();
  for (const info of infos) {
    let versions = groups.get(info.group);
    if (versions === undefined) groups.set(info.group, (versions = new Map()));
    const resources = versions.get(info.version) ?? [];
    resources.push(info);
    versions.set(info.version, resources);
  }
  return [...groups.keys()].sort(compareGroups).map((group) => {
    const resources = groups.get(group) ?? new Map<string, ResourceInfo[]>();
    for (const list of resources.values()) list.sort((a, b) => (a.resource < b.resource ? -1 : 1));
    return { group, versions: [...resources.keys()].sort(compareVersions), resources };
  });
}

const groupVersion = (group: string, version: string) => ({
  groupVersion: apiVersionOf({ group, version }),
  version,
});

function apiGroup({ group, versions }: GroupVersions): object {
  const [preferred = ''] = versions;
  return {
    name: group,
    versions: versions.map((version) => groupVersion(group, version)),
    preferredVersion: groupVersion(group, preferred),
  };
}

/** `/apis` */
export function apiGroupList(groups: readonly GroupVersions[]): object {
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.filter(({ group }) => group !== '').map(apiGroup),
  };
}

/** `/apis/<group>` */
export function apiGroupDocument(groups: readonly GroupVersions[], group: string): object | undefined {
  const found = groups.find((g) => g.group === group && group !== '');
  return found === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(found) };
}

/** `/api` */
export function apiVersions(serverAddress: string): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  };
}

/** `/api/v1`, `/apis/<group>/<version>` */
export function apiResourceList(
  groups: readonly GroupVersions[],
  { group, version }: Pick<ResourceTarget, 'group' | 'version'>,
): object | undefined {
  const infos = groups.find((g) => g.group === group)?.resources.get(version);
  if (infos === undefined) return undefined;
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf({ group, version }),
    resources: infos.flatMap((info) => [
      apiResource(info),
      ...info.subresources.map((s) => subresource(info, s)),
    ]),
  };
}

function apiResource(info: ResourceInfo): object {
  return {
    name: info.resource,
    singularName: info.singular,
    namespaced: info.namespaced,
    kind: info.kind,
    verbs: [...info.verbs].sort(),
    ...(info.shortNames.length === 0 ? {} : { shortNames: info.shortNames }),
    ...(info.categories.length === 0 ? {} : { categories: info.categories }),
    ...(info.verbs.includes('get') && info.verbs.includes('create')
      ? { storageVersionHash: storageVersionHash(info) }
      : {}),
  };
}

function subresource(info: ResourceInfo, sub: ResourceInfo['subresources'][number]): object {
  const isForeign = sub.gvk.group !== info.group || sub.gvk.version !== info.version;
  return {
    name: `${info.resource}/${sub.name}`,
    singularName: '',
    namespaced: info.namespaced,
    ...(isForeign ? { group: sub.gvk.group, version: sub.gvk.version } : {}),
    kind: sub.gvk.kind,
    verbs: [...sub.verbs].sort(),
  };
}

function storageVersionHash({ storage }: ResourceInfo): string {
  const digest = createHash('sha256').update(`${storage.group}/${storage.version}/${storage.kind}`).digest();
  return digest.subarray(0, 8).toString('base64');
}

export type AggregatedVersion = 'v2' | 'v2beta1';

/** `/api` (the core group) and `/apis` (all others) in one document. */
export function aggregatedDiscovery(
  groups: readonly GroupVersions[],
  isCore: boolean,
  version: AggregatedVersion,
): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.filter(({ group }) => (group === '') === isCore).map(aggregatedGroup),
  };
}

function aggregatedGroup({ group, versions, resources }: GroupVersions): object {
  return {
    metadata: { ...(group === '' ? {} : { name: group }), creationTimestamp: null },
    versions: versions.map((version) => ({
      version,
      resources: (resources.get(version) ?? []).map(aggregatedResource),
      freshness: 'Current',
    })),
  };
}

function aggregatedResource(info: ResourceInfo): object {
  const { group, version, kind } = info;
  return {
    resource: info.resource,
    responseKind: { group, version, kind },
    scope: info.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: info.singular,
    verbs: [...info.verbs].sort(),
    ...(info.shortNames.length === 0 ? {} : { shortNames: info.shortNames }),
    ...(info.categories.length === 0 ? {} : { categories: info.categories }),
    ...(info.subresources.length === 0
      ? {}
      : {
          subresources: info.subresources.map((sub) => ({
            subresource: sub.name,
            responseKind: { group: sub.gvk.group, version: sub.gvk.version, kind: sub.gvk.kind },
            verbs: [...sub.verbs].sort(),
          })),
        }),
  };
}
