/** Ingress, IngressClass, NetworkPolicy, ServiceCIDR, IPAddress. */
import type { KindBehaviour } from '../../kind-behaviour.ts';
import type { networkingV1 } from '../../types/index.ts';
import { ageColumn, formatSelector, nameColumn, orNone } from '../columns.ts';
import { defineKind } from '../define-kind.ts';
import { fresh } from '../workloads/index.ts';
import { validateNetworkPolicy } from './policy-validation.ts';
import {
  validateIngress,
  validateIngressClass,
  validateIngressStatus,
  validateIngressUpdate,
  validateIpAddress,
  validateIpAddressUpdate,
  validateServiceCidr,
  validateServiceCidrUpdate,
} from './validation.ts';

const LISTED_HOSTS = 3;

function hosts({ spec }: networkingV1.Ingress): string {
  const named = (spec.rules ?? []).flatMap(({ host }) => (host === undefined || host === '' ? [] : [host]));
  if (named.length === 0) return '*';
  const shown = named.slice(0, LISTED_HOSTS).join(',');
  return named.length > LISTED_HOSTS ? `${shown} + ${named.length - LISTED_HOSTS} more...` : shown;
}

const ingress = defineKind<networkingV1.Ingress>({
  group: 'networking.k8s.io',
  kind: 'Ingress',
  validateCreate: validateIngress,
  validateUpdate: validateIngressUpdate,
  validateStatusUpdate: validateIngressStatus,
  prepareForCreate: (object) => fresh(object, { loadBalancer: {} }),
  columns: [
    nameColumn,
    {
      name: 'Class',
      description: 'Which controller serves it.',
      cell: ({ spec }) => orNone(spec.ingressClassName),
    },
    { name: 'Hosts', description: 'Host names it serves.', cell: hosts },
    {
      name: 'Address',
      description: 'Where it is reached.',
      cell: ({ status }) =>
        (status.loadBalancer?.ingress ?? []).map((i) => i.ip ?? i.hostname ?? '').join(','),
    },
    {
      name: 'Ports',
      description: 'Ports it serves.',
      cell: ({ spec }) => ((spec.tls ?? []).length > 0 ? '80, 443' : '80'),
    },
    ageColumn,
  ],
});

const ingressClass = defineKind<networkingV1.IngressClass>({
  group: 'networking.k8s.io',
  kind: 'IngressClass',
  validateCreate: (object) => validateIngressClass(object),
  validateUpdate: (object, old) => validateIngressClass(object, old),
  prepareForCreate: (object) => ({ ...object, metadata: { ...object.metadata, generation: 1 } }),
  columns: [
    nameColumn,
    { name: 'Controller', description: 'Who serves the class.', cell: ({ spec }) => spec.controller ?? '' },
    {
      name: 'Parameters',
      description: 'An object with more settings.',
      cell: ({ spec: { parameters } }) => {
        if (parameters === undefined) return '<none>';
        const group = parameters.apiGroup === undefined ? '' : `.${parameters.apiGroup}`;
        return `${parameters.kind}${group}/${parameters.name}`;
      },
    },
    ageColumn,
  ],
});

const networkPolicy = defineKind<networkingV1.NetworkPolicy>({
  group: 'networking.k8s.io',
  kind: 'NetworkPolicy',
  validateCreate: (object) => validateNetworkPolicy(object),
  validateUpdate: (object, old) => validateNetworkPolicy(object, old),
  setDefaults: (object) => {
    if ((object.spec.policyTypes ?? []).length > 0) return object;
    const egress = (object.spec.egress ?? []).length > 0 ? ['Egress' as const] : [];
    return { ...object, spec: { ...object.spec, policyTypes: ['Ingress', ...egress] } };
  },
  prepareForCreate: (object) => ({ ...object, metadata: { ...object.metadata, generation: 1 } }),
  columns: [
    nameColumn,
    {
      name: 'Pod-Selector',
      description: 'Pods it is about.',
      cell: ({ spec }) => formatSelector(spec.podSelector),
    },
    ageColumn,
  ],
});

const serviceCidr = defineKind<networkingV1.ServiceCIDR>({
  group: 'networking.k8s.io',
  kind: 'ServiceCIDR',
  validateCreate: validateServiceCidr,
  validateUpdate: validateServiceCidrUpdate,
  columns: [
    nameColumn,
    {
      name: 'CIDRs',
      description: 'Blocks of service addresses.',
      cell: ({ spec }) => (spec.cidrs ?? []).join(','),
    },
    ageColumn,
  ],
});

const ipAddress = defineKind<networkingV1.IPAddress>({
  group: 'networking.k8s.io',
  kind: 'IPAddress',
  nameRule: 'any',
  validateCreate: validateIpAddress,
  validateUpdate: validateIpAddressUpdate,
  columns: [
    nameColumn,
    {
      name: 'ParentRef',
      description: 'What has the address.',
      cell: ({ spec: { parentRef } }) =>
        parentRef === undefined
          ? '<none>'
          : [`${parentRef.group ?? ''}${parentRef.resource}`, parentRef.namespace, parentRef.name]
              .filter((part) => part !== undefined && part !== '')
              .join('/'),
    },
  ],
});

export const networkingKinds: readonly KindBehaviour[] = [
  ingress,
  ingressClass,
  networkPolicy,
  serviceCidr,
  ipAddress,
];
