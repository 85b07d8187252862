/**
 * CustomResourceDefinition. Upstream checks the form it had before v1, in which what all versions have alike stands
 * beside them (`spec.validation`, `spec.subresources`, `spec.additionalPrinterColumns`, `spec.selectableFields`), and its
 * errors name those places.
 */
import {
  deepEqual,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  required,
  validateDns1035Label,
  validateDns1123Subdomain,
  validateStructuralSchemaDefinition,
} from '#machinery';
import type { apiextensionsV1 } from '../../types/index.ts';
import { checkImmutable, checkOneOf, checkPresent, collect, type Errors } from '../field-rules.ts';
import { checkApproval } from './definition-approval.ts';
import {
  checkColumn,
  checkDeprecation,
  checkSelectableFields,
  checkSubresources,
} from './definition-version.ts';
import { checkReviewVersions } from './rule-validation.ts';
import { checkCaBundle, checkWebhookAddress } from './webhook-address.ts';

type Definition = apiextensionsV1.CustomResourceDefinition;
type Spec = apiextensionsV1.CustomResourceDefinitionSpec;
type Version = apiextensionsV1.CustomResourceDefinitionVersion;

const specPath = new FieldPath('spec');
const versionsPath = specPath.child('versions');
const statusPath = new FieldPath('status');

const isEstablished = ({ status }: Definition): boolean =>
  (status.conditions ?? []).some(({ type, status: value }) => type === 'Established' && value === 'True');

export const validateDefinition = (definition: Definition): readonly FieldError[] =>
  collect((errors) => {
    const { metadata, spec } = definition;
    if (metadata.name !== `${spec.names.plural}.${spec.group}`) {
      const path = new FieldPath('metadata.name');
      errors.push(invalid(path, metadata.name, 'must be spec.names.plural+"."+spec.group'));
    }
    checkSpec(definition, undefined, errors);
    checkRest(definition, undefined, errors);
  });

export const validateDefinitionUpdate = (definition: Definition, old: Definition): readonly FieldError[] =>
  collect((errors) => {
    const { spec } = definition;
    checkSpec(definition, old, errors);
    if (isEstablished(old)) {
      checkImmutable(spec.scope, old.spec.scope, specPath.child('scope'), errors);
      checkImmutable(spec.names.kind, old.spec.names.kind, specPath.child('names', 'kind'), errors);
    }
    checkImmutable(spec.group, old.spec.group, specPath.child('group'), errors);
    checkImmutable(spec.names.plural, old.spec.names.plural, specPath.child('names', 'plural'), errors);
    checkRest(definition, old, errors);
  });

export const validateDefinitionStatus = ({ status }: Definition): readonly FieldError[] =>
  collect((errors) => checkNames(status.acceptedNames, statusPath.child('acceptedNames'), errors));

function checkRest(definition: Definition, old: Definition | undefined, errors: Errors): void {
  const { metadata, spec, status } = definition;
  checkNames(status.acceptedNames, statusPath.child('acceptedNames'), errors);
  checkStoredVersions(status.storedVersions ?? [], spec.versions ?? [], errors);
  checkApproval(spec.group, metadata.annotations, old?.metadata.annotations, old !== undefined, errors);
  if (spec.preserveUnknownFields === true && old?.spec.preserveUnknownFields !== true) {
    const why =
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
    errors.push(invalid(specPath.child('preserveUnknownFields'), true, why));
  }
}

/** What all versions have alike. */
type Shared = Pick<Version, 'schema' | 'subresources' | 'additionalPrinterColumns' | 'selectableFields'>;
const SHARED = ['schema', 'subresources', 'additionalPrinterColumns', 'selectableFields'] as const;

/** The versions without what they share, and that. */
function hoist(versions: readonly Version[]): { readonly shared: Shared; readonly own: readonly Version[] } {
  const [first] = versions;
  if (first === undefined) return { shared: {}, own: versions };
  const shared: Record<string, unknown> = {};
  for (const field of SHARED) {
    if (versions.every((version) => deepEqual(version[field], first[field]))) shared[field] = first[field];
  }
  const own = versions.map(
    (version): Version => ({
      ...version,
      ...Object.fromEntries(Object.keys(shared).map((field) => [field, undefined])),
    }),
  );
  return { shared, own };
}

function checkSpec({ spec }: Definition, old: Definition | undefined, errors: Errors): void {
  checkGroup(spec.group, errors);
  checkOneOf(spec.scope, ['Cluster', 'Namespaced'], specPath.child('scope'), errors);
  const { shared, own } = hoist(spec.versions ?? []);
  if (shared.schema?.openAPIV3Schema === undefined) {
    for (const [i, { schema }] of own.entries()) {
      if (schema?.openAPIV3Schema !== undefined) continue;
      errors.push(required(versionsPath.index(i).child('schema', 'openAPIV3Schema')));
    }
  }
  if (spec.preserveUnknownFields === true && hasDefaults(spec.versions ?? [])) {
    const why = 'must be false in order to use defaults in the schema';
    errors.push(invalid(specPath.child('preserveUnknownFields'), true, why));
  }
  const given: readonly Version[] | null | undefined = spec.versions;
  checkVersions(own, shared, given !== undefined && given !== null, errors);
  const { names } = spec;
  for (const field of ['plural', 'singular', 'kind', 'listKind'] as const) {
    checkPresent(names[field], specPath.child('names', field), errors);
  }
  checkNames(names, specPath.child('names'), errors);
  const hasStatus = [shared, ...own].some(({ subresources }) => subresources?.status !== undefined);
  checkShared(shared, hasStatus, { base: specPath, schema: 'validation' }, errors);
  checkConversion(spec, old === undefined || !isEstablished(old), errors);
}

/** Whether a schema sets a default anywhere; a property may be called `default` without being one. */
const hasDefaults = (versions: readonly Version[]): boolean =>
  versions.some(({ schema }) => schemaHasDefault(schema?.openAPIV3Schema));

function schemaHasDefault(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.some(schemaHasDefault);
  if (typeof schema !== 'object' || schema === null) return false;
  if ('default' in schema) return true;
  const { properties, items, additionalProperties } = schema as apiextensionsV1.JSONSchemaProps;
  return [...Object.values(properties ?? {}), items, additionalProperties].some(schemaHasDefault);
}

function checkGroup(group: string, errors: Errors): void {
  const path = specPath.child('group');
  if (!checkPresent(group, path, errors)) return;
  const messages = validateDns1123Subdomain(group);
  if (messages.length > 0) errors.push(invalid(path, group, messages.join(',')));
  else if (!group.includes('.')) {
    errors.push(invalid(path, group, 'should be a domain with at least one dot'));
  }
}

function checkVersions(
  versions: readonly Version[],
  shared: Shared,
  areGiven: boolean,
  errors: Errors,
): void {
  for (const [i, version] of versions.entries()) {
    const path = versionsPath.index(i);
    const messages = validateDns1035Label(version.name);
    if (messages.length > 0) errors.push(invalid(path.child('name'), version.name, messages.join(',')));
    checkDeprecation(version, path.child('deprecationWarning'), errors);
    const { subresources = shared.subresources } = version;
    checkShared(version, subresources?.status !== undefined, { base: path, schema: 'schema' }, errors);
  }
  if (new Set(versions.map(({ name }) => name)).size < versions.length) {
    errors.push(invalid(versionsPath, printed(versions), 'must contain unique version names'));
  }
  if (versions.filter(({ storage }) => storage).length !== 1) {
    const why = 'must have exactly one version marked as storage version';
    errors.push(invalid(versionsPath, areGiven ? printed(versions) : null, why));
  }
  // Before v1 the first version had a field of its own.
  const first = versions[0]?.name ?? '';
  const messages = first === '' ? [] : validateDns1035Label(first);
  if (messages.length > 0) errors.push(invalid(specPath.child('version'), first, messages.join(',')));
}

/** As Go prints its own struct. */
const printed = (versions: readonly Version[]): readonly object[] =>
  versions.map((version) => ({
    Name: version.name,
    Served: version.served,
    Storage: version.storage,
    Deprecated: version.deprecated ?? false,
    DeprecationWarning: version.deprecationWarning ?? null,
    Schema: version.schema ?? null,
    Subresources: version.subresources ?? null,
    AdditionalPrinterColumns: version.additionalPrinterColumns ?? null,
    SelectableFields: version.selectableFields ?? null,
  }));

interface Place {
  readonly base: FieldPath;
  /** What the schema is called there. */
  readonly schema: 'schema' | 'validation';
}

function checkShared(parts: Shared, hasStatus: boolean, { base, schema }: Place, errors: Errors): void {
  const schemaPath = base.child(schema, 'openAPIV3Schema');
  const definition = parts.schema?.openAPIV3Schema;
  if (definition !== undefined) {
    if (hasStatus) checkRootSchema(definition, schemaPath, errors);
    errors.push(...validateStructuralSchemaDefinition(definition, schemaPath));
  }
  if (parts.subresources !== undefined)
    checkSubresources(parts.subresources, base.child('subresources'), errors);
  for (const [i, column] of (parts.additionalPrinterColumns ?? []).entries()) {
    checkColumn(column, base.child('additionalPrinterColumns').index(i), errors);
  }
  const { selectableFields = [] } = parts;
  if (selectableFields.length === 0) return;
  const path = base.child('selectableFields');
  if (definition !== undefined) checkSelectableFields(selectableFields, definition, path, errors);
  else if (schema === 'validation') {
    errors.push(invalid(path, '', 'may only be set when validations.schema is included'));
  } else {
    const why = 'may only be set when `version.schema.openAPIV3Schema` is not included';
    errors.push(invalid(path, '', why));
  }
}

/** Status is checked by `properties.status` alone, so nothing at the root may be about the object as a whole. */
const ALLOWED_AT_ROOT =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations';
const allowedAtRoot = new Set(
  ALLOWED_AT_ROOT.split(' ').map((name) => name.charAt(0).toLowerCase() + name.slice(1)),
);
allowedAtRoot.add('x-kubernetes-preserve-unknown-fields').add('x-kubernetes-validations');

function checkRootSchema(schema: apiextensionsV1.JSONSchemaProps, at: FieldPath, errors: Errors): void {
  if (schema.type !== undefined && schema.type !== 'object') {
    const why =
      'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
    errors.push(invalid(at.child('type'), schema.type, why));
    return;
  }
  if (Object.keys(schema).every((field) => allowedAtRoot.has(field))) return;
  const why = `only [${ALLOWED_AT_ROOT}] fields are allowed at the root of the schema if the status subresource is enabled`;
  errors.push(invalid(at, schema, why));
}

function checkNames(
  names: apiextensionsV1.CustomResourceDefinitionNames,
  at: FieldPath,
  errors: Errors,
): void {
  const check = (value: string | undefined, path: FieldPath, lead = ''): void => {
    if (value === undefined || value === '') return;
    const messages = validateDns1035Label(lead === '' ? value : value.toLowerCase());
    if (messages.length > 0) errors.push(invalid(path, value, lead + messages.join(',')));
  };
  const mixed = 'may have mixed case, but should otherwise match: ';
  check(names.plural, at.child('plural'));
  check(names.singular, at.child('singular'));
  check(names.kind, at.child('kind'), mixed);
  check(names.listKind, at.child('listKind'), mixed);
  for (const [i, name] of (names.shortNames ?? []).entries()) check(name, at.child('shortNames').index(i));
  if ((names.kind ?? '') !== '' && names.kind === names.listKind) {
    errors.push(invalid(at.child('listKind'), names.listKind, 'kind and listKind may not be the same'));
  }
  for (const [i, name] of (names.categories ?? []).entries()) check(name, at.child('categories').index(i));
}

const CONVERSION_REVIEW_VERSIONS = ['v1', 'v1beta1'];

function checkConversion(
  { conversion, preserveUnknownFields }: Spec,
  allowsBadBundle: boolean,
  errors: Errors,
): void {
  if (conversion === undefined) return;
  const { strategy, webhook } = conversion;
  const path = specPath.child('conversion');
  const clientPath = path.child('webhookClientConfig');
  const versions = webhook?.conversionReviewVersions ?? [];
  const versionsAt = path.child('conversionReviewVersions');
  if (strategy !== 'None' && preserveUnknownFields === true) {
    const why = 'must be None if spec.preserveUnknownFields is true';
    errors.push(invalid(path.child('strategy'), strategy, why));
  }
  checkOneOf(strategy, ['None', 'Webhook'], path.child('strategy'), errors);
  if (strategy !== 'Webhook') {
    const why = 'should not be set when strategy is not set to Webhook';
    if (webhook?.clientConfig !== undefined) errors.push(fieldForbidden(clientPath, why));
    if (versions.length > 0) errors.push(fieldForbidden(versionsAt, why));
    return;
  }
  const client = webhook?.clientConfig;
  if (client === undefined) errors.push(required(clientPath, 'required when strategy is set to Webhook'));
  else {
    checkWebhookAddress(client, clientPath, errors);
    if (!allowsBadBundle) checkCaBundle(client.caBundle ?? '', clientPath.child('caBundle'), errors);
  }
  checkReviewVersions(versions, { accepted: CONVERSION_REVIEW_VERSIONS, whenEmpty: '' }, versionsAt, errors);
}

function checkStoredVersions(stored: readonly string[], versions: readonly Version[], errors: Errors): void {
  const path = statusPath.child('storedVersions');
  if (stored.length === 0) {
    errors.push(invalid(path, null, 'must have at least one stored version'));
    return;
  }
  const names = new Set(versions.map(({ name }) => name));
  for (const { name, storage } of versions) {
    if (storage && !stored.includes(name)) {
      errors.push(invalid(path, stored, `must have the storage version ${name}`));
    }
  }
  for (const [i, name] of stored.entries()) {
    if (names.has(name)) continue;
    const why = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    errors.push(invalid(path.index(i), name, why));
  }
}
