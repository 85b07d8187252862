/** The rows of discovery for everything upstream's API servers serve: facts, plus what the facts leave out. */
import { parseApiVersion, type StructSchema } from '#machinery';
import type { ResourceInfo, SubresourceInfo } from '../resource-info.ts';
import { type ResourceRow, schemaFacts } from './facts.ts';
import { schemaOf } from './schema-table.ts';

const SHORT_NAMES: Readonly<Record<string, readonly string[]>> = {
  certificatesigningrequests: ['csr'],
  componentstatuses: ['cs'],
  configmaps: ['cm'],
  cronjobs: ['cj'],
  customresourcedefinitions: ['crd', 'crds'],
  daemonsets: ['ds'],
  deployments: ['deploy'],
  endpoints: ['ep'],
  events: ['ev'],
  horizontalpodautoscalers: ['hpa'],
  ingresses: ['ing'],
  ipaddresses: ['ip'],
  limitranges: ['limits'],
  namespaces: ['ns'],
  networkpolicies: ['netpol'],
  nodes: ['no'],
  persistentvolumeclaims: ['pvc'],
  persistentvolumes: ['pv'],
  poddisruptionbudgets: ['pdb'],
  pods: ['po'],
  priorityclasses: ['pc'],
  replicasets: ['rs'],
  replicationcontrollers: ['rc'],
  resourcequotas: ['quota'],
  serviceaccounts: ['sa'],
  services: ['svc'],
  statefulsets: ['sts'],
  storageclasses: ['sc'],
  volumeattributesclasses: ['vac'],
};

const CATEGORIES: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    [
      'cronjobs',
      'daemonsets',
      'deployments',
      'horizontalpodautoscalers',
      'jobs',
      'pods',
      'replicasets',
      'replicationcontrollers',
      'services',
      'statefulsets',
    ].map((resource) => [resource, ['all']]),
  ),
  ...Object.fromEntries(
    [
      'apiservices',
      'customresourcedefinitions',
      'mutatingadmissionpolicies',
      'mutatingadmissionpolicybindings',
      'mutatingwebhookconfigurations',
      'validatingadmissionpolicies',
      'validatingadmissionpolicybindings',
      'validatingwebhookconfigurations',
    ].map((resource) => [resource, ['api-extensions']]),
  ),
};

/** What a connecting subresource allows; the facts only say `connect`. */
const CONNECT_VERBS: Readonly<Record<string, readonly string[]>> = {
  attach: ['create', 'get'],
  exec: ['create', 'get'],
  portforward: ['create', 'get'],
  proxy: ['create', 'delete', 'get', 'patch', 'update'],
};

/** Groups that are not stored in their v1. */
const STORAGE_VERSIONS: Readonly<Record<string, string>> = {
  'admissionregistration.k8s.io/mutatingadmissionpolicies': 'v1beta1',
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings': 'v1beta1',
  'autoscaling/horizontalpodautoscalers': 'v2',
  'certificates.k8s.io/clustertrustbundles': 'v1beta1',
  'certificates.k8s.io/podcertificaterequests': 'v1beta1',
  'coordination.k8s.io/leasecandidates': 'v1beta1',
  'internal.apiserver.k8s.io/storageversions': 'v1alpha1',
  'resource.k8s.io/devicetaintrules': 'v1alpha3',
  'resource.k8s.io/resourcepoolstatusrequests': 'v1alpha3',
  'scheduling.k8s.io/podgroups': 'v1alpha2',
  'scheduling.k8s.io/workloads': 'v1alpha2',
  'storagemigration.k8s.io/storageversionmigrations': 'v1beta1',
};

function storageOf(group: string, resource: string, kind: string): ResourceInfo['storage'] {
  // One stored event, served in two groups and two shapes.
  if (resource === 'events') return { group: '', version: 'v1', resource, kind };
  return { group, version: STORAGE_VERSIONS[`${group}/${resource}`] ?? 'v1', resource, kind };
}

function subresourceOf(parent: string, name: string, row: ResourceRow): SubresourceInfo {
  const [kind, , verbs, groupVersion] = row;
  return {
    name,
    verbs: verbs === 'connect' ? (CONNECT_VERBS[name] ?? ['get']) : verbs.split(','),
    gvk: { ...parseApiVersion(groupVersion ?? parent), kind },
  };
}

function watchable(verbs: readonly string[]): readonly string[] {
  return verbs.includes('list') && verbs.includes('create') ? [...verbs, 'watch'] : verbs;
}

class BuiltinResource implements ResourceInfo {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly listKind: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly servedByDefault: boolean;
  readonly verbs: readonly string[];
  readonly subresources: readonly SubresourceInfo[];
  readonly storage: ResourceInfo['storage'];
  #schema: StructSchema | undefined;

  constructor(
    groupVersion: string,
    resource: string,
    row: ResourceRow,
    subresources: readonly SubresourceInfo[],
  ) {
    const [kind, namespaced, verbs] = row;
    const { group, version } = parseApiVersion(groupVersion);
    this.group = group;
    this.version = version;
    this.resource = resource;
    this.kind = kind;
    this.listKind = `${kind}List`;
    this.singular = kind.toLowerCase();
    this.shortNames = SHORT_NAMES[resource] ?? [];
    this.categories = CATEGORIES[resource] ?? [];
    this.namespaced = namespaced === 1;
    this.servedByDefault = /^v\d+$/.test(version);
    this.verbs = watchable(verbs.split(','));
    this.subresources = subresources;
    this.storage = storageOf(group, resource, kind);
  }

  get schema(): StructSchema {
    this.#schema ??= schemaOf(this);
    if (this.#schema === undefined)
      throw new Error(`no schema facts for ${this.kind} ${this.group}/${this.version}`);
    return this.#schema;
  }
}

function build(): readonly ResourceInfo[] {
  const rows = Object.entries(schemaFacts.res).map(([key, row]) => {
    const [groupVersion = '', path = ''] = key.split('|');
    const [resource = '', ...rest] = path.split('/');
    return { groupVersion, resource, subresource: rest.join('/'), row };
  });
  // `pods/proxy/` (with a path behind it) is the same row of discovery as `pods/proxy`.
  const subresources = rows.filter(({ subresource }) => subresource !== '' && !subresource.endsWith('/'));
  return rows
    .filter(({ row, subresource }) => subresource === '' && row !== undefined)
    .map(
      ({ groupVersion, resource, row }) =>
        new BuiltinResource(
          groupVersion,
          resource,
          row,
          subresources
            .filter((sub) => sub.groupVersion === groupVersion && sub.resource === resource)
            .map((sub) => subresourceOf(groupVersion, sub.subresource, sub.row)),
        ),
    );
}

/**
 * Every built-in resource in every version, alpha and beta included (`servedByDefault` tells them apart).
 * Types behind `schema` are compiled when first asked for.
 */
export const builtinResources: readonly ResourceInfo[] = build();
