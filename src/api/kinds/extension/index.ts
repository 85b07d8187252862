/** CustomResourceDefinition, APIService, webhook configurations, admission policies. */
import type { KindBehaviour } from '../../kind-behaviour.ts';
import type { admissionregistrationV1, apiextensionsV1, apiregistrationV1 } from '../../types/index.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { defineKind } from '../define-kind.ts';
import { isEmpty } from '../field-rules.ts';
import { fresh } from '../workloads/index.ts';
import { validateApiService, validateApiServiceStatus } from './api-service-validation.ts';
import {
  validateDefinition,
  validateDefinitionStatus,
  validateDefinitionUpdate,
} from './definition-validation.ts';
import {
  validateMutatingBinding,
  validateMutatingPolicy,
  validateValidatingBinding,
  validateValidatingPolicy,
} from './policy-validation.ts';
import { validateWebhooks } from './webhook-validation.ts';

/** A version that becomes the storage version is one from then on. */
function storeVersion(
  object: apiextensionsV1.CustomResourceDefinition,
): apiextensionsV1.CustomResourceDefinition {
  const { spec, status } = object;
  const name = (spec.versions ?? []).find(({ storage }) => storage)?.name;
  const stored = status.storedVersions ?? [];
  if (name === undefined || stored.includes(name)) return object;
  return { ...object, status: { ...status, storedVersions: [...stored, name] } };
}

const customResourceDefinition = defineKind<apiextensionsV1.CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  kind: 'CustomResourceDefinition',
  validateCreate: validateDefinition,
  validateUpdate: validateDefinitionUpdate,
  validateStatusUpdate: validateDefinitionStatus,
  prepareForUpdate: storeVersion,
  setDefaults: (object) => {
    const { names, conversion } = object.spec;
    return {
      ...object,
      spec: {
        ...object.spec,
        names: {
          ...names,
          singular: isEmpty(names.singular) ? names.kind.toLowerCase() : names.singular,
          listKind: isEmpty(names.listKind) && names.kind !== '' ? `${names.kind}List` : names.listKind,
        },
        conversion: conversion ?? { strategy: 'None' },
      },
    };
  },
  prepareForCreate: (object) =>
    fresh(object, {
      conditions: [],
      acceptedNames: { plural: '', kind: '' },
      storedVersions: (object.spec.versions ?? [])
        .filter((version) => version.storage)
        .slice(0, 1)
        .map((version) => version.name),
    }),
  columns: [
    nameColumn,
    {
      name: 'Created At',
      type: 'date',
      description: 'When it was created.',
      cell: ({ metadata }) => metadata.creationTimestamp,
    },
  ],
});

const apiService = defineKind<apiregistrationV1.APIService>({
  group: 'apiregistration.k8s.io',
  kind: 'APIService',
  validateCreate: validateApiService,
  validateUpdate: validateApiService,
  validateStatusUpdate: validateApiServiceStatus,
  // `v1.` is the core group's.
  nameRule: 'path-segment',
  prepareForCreate: (object) => ({ ...object, status: {} }),
  bumpsGeneration: () => false,
  columns: [
    nameColumn,
    {
      name: 'Service',
      description: 'Who serves it.',
      cell: ({ spec }) =>
        spec.service === undefined ? 'Local' : `${spec.service.namespace}/${spec.service.name}`,
    },
    {
      name: 'Available',
      description: 'Whether it can be used.',
      cell: ({ status }) => {
        const available = status.conditions?.find((condition) => condition.type === 'Available');
        if (available === undefined) return 'Unknown';
        return available.status === 'True' ? 'True' : `${available.status} (${available.reason})`;
      },
    },
    ageColumn,
  ],
});

const webhooksColumn = {
  name: 'Webhooks',
  type: 'integer',
  description: 'Number of webhooks.',
  cell: ({ webhooks }: { readonly webhooks?: readonly unknown[] }) => webhooks?.length ?? 0,
} as const;

const withGeneration = <T extends { readonly metadata: object }>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, generation: 1 },
});

const mutatingWebhookConfiguration = defineKind<admissionregistrationV1.MutatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingWebhookConfiguration',
  validateCreate: (object) => validateWebhooks(object),
  validateUpdate: (object, old) => validateWebhooks(object, old),
  prepareForCreate: withGeneration,
  columns: [nameColumn, webhooksColumn, ageColumn],
});

const validatingWebhookConfiguration = defineKind<admissionregistrationV1.ValidatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  kind: 'ValidatingWebhookConfiguration',
  validateCreate: (object) => validateWebhooks(object),
  validateUpdate: (object, old) => validateWebhooks(object, old),
  prepareForCreate: withGeneration,
  columns: [nameColumn, webhooksColumn, ageColumn],
});

interface WithParamKind {
  readonly spec: { readonly paramKind?: admissionregistrationV1.ParamKind };
}
const paramKindColumn = {
  name: 'ParamKind',
  description: 'Kind of its parameters.',
  cell: ({ spec: { paramKind } }: WithParamKind) =>
    paramKind === undefined ? '<unset>' : `${paramKind.apiVersion}/${paramKind.kind}`,
};

const validatingAdmissionPolicy = defineKind<admissionregistrationV1.ValidatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  kind: 'ValidatingAdmissionPolicy',
  validateCreate: (object) => validateValidatingPolicy(object),
  validateUpdate: (object, old) => validateValidatingPolicy(object, old),
  prepareForCreate: (object) => fresh(object, {}),
  columns: [
    nameColumn,
    {
      name: 'Validations',
      type: 'integer',
      description: 'Number of rules.',
      cell: ({ spec }) => spec.validations?.length ?? 0,
    },
    paramKindColumn,
    ageColumn,
  ],
});

const mutatingAdmissionPolicy = defineKind<admissionregistrationV1.MutatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingAdmissionPolicy',
  validateCreate: (object) => validateMutatingPolicy(object),
  validateUpdate: (object, old) => validateMutatingPolicy(object, old),
  prepareForCreate: withGeneration,
  columns: [
    nameColumn,
    {
      name: 'Mutations',
      type: 'integer',
      description: 'Number of mutations.',
      cell: ({ spec }) => spec.mutations?.length ?? 0,
    },
    paramKindColumn,
    ageColumn,
  ],
});

interface Bound {
  readonly spec: { readonly policyName?: string; readonly paramRef?: admissionregistrationV1.ParamRef };
}
const bindingColumns = [
  nameColumn,
  {
    name: 'PolicyName',
    description: 'The policy it binds.',
    cell: ({ spec }: Bound) => spec.policyName ?? '',
  },
  {
    name: 'ParamRef',
    description: 'Its parameters.',
    cell: ({ spec: { paramRef } }: Bound) => {
      if (paramRef === undefined) return '<unset>';
      const target = paramRef.name ?? '*';
      return paramRef.namespace === undefined ? target : `${paramRef.namespace}/${target}`;
    },
  },
  ageColumn,
];

const validatingAdmissionPolicyBinding = defineKind<admissionregistrationV1.ValidatingAdmissionPolicyBinding>(
  {
    group: 'admissionregistration.k8s.io',
    kind: 'ValidatingAdmissionPolicyBinding',
    validateCreate: validateValidatingBinding,
    validateUpdate: validateValidatingBinding,
    prepareForCreate: withGeneration,
    columns: bindingColumns,
  },
);

const mutatingAdmissionPolicyBinding = defineKind<admissionregistrationV1.MutatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingAdmissionPolicyBinding',
  validateCreate: validateMutatingBinding,
  validateUpdate: validateMutatingBinding,
  prepareForCreate: withGeneration,
  columns: bindingColumns,
});

export const extensionKinds: readonly KindBehaviour[] = [
  customResourceDefinition,
  apiService,
  mutatingWebhookConfiguration,
  validatingWebhookConfiguration,
  validatingAdmissionPolicy,
  mutatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
  mutatingAdmissionPolicyBinding,
];
