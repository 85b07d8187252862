/**
 * What the server resets on a write through each endpoint, and which its writer therefore cannot own. The rule:
 * the resource itself resets `status`, its status resets `spec`. The tables hold what differs from the rule.
 */
import type { StructSchema } from '../schema.ts';
import { type FieldFilter, keepAll, onlyBelow, withoutFields } from './field-filter.ts';

type Fields = readonly (readonly string[])[];

const SPEC: Fields = [['spec']];
const SPEC_AND_METADATA: Fields = [['metadata'], ['spec']];

/** Keyed by `resource.group/subresource`. */
const EXCEPTIONS: Readonly<Record<string, Fields>> = {
  'pods/status': [['spec'], ['metadata', 'deletionTimestamp'], ['metadata', 'ownerReferences']],
  'namespaces/finalize': [['status']],
  'deployments.apps/status': [['spec'], ['metadata', 'labels']],
  'certificatesigningrequests.certificates.k8s.io/': [['spec'], ['status']],
  'certificatesigningrequests.certificates.k8s.io/status': [['spec'], ['status', 'conditions']],
  'certificatesigningrequests.certificates.k8s.io/approval': [['spec'], ['status', 'certificate']],
  'podcertificaterequests.certificates.k8s.io/': [],
  'servicecidrs.networking.k8s.io/status': SPEC_AND_METADATA,
  'volumeattachments.storage.k8s.io/status': SPEC_AND_METADATA,
};

/** Groups whose every status endpoint resets the metadata too. */
const STATUS_RESETS_METADATA: ReadonlySet<string> = new Set([
  'admissionregistration.k8s.io',
  'apiregistration.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'internal.apiserver.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storagemigration.k8s.io',
]);

const RESIZABLE = ['resources', 'resizePolicy'];
const INCLUDED: Readonly<Record<string, Fields>> = {
  'pods/ephemeralcontainers': [['spec', 'ephemeralContainers']],
  'pods/resize': RESIZABLE.flatMap((field) => [
    ['spec', 'containers', '*', field],
    ['spec', 'initContainers', '*', field],
  ]),
};

/**
 * @param schema a custom resource's schema (its `name` is '') makes its status endpoint reset the metadata too.
 * @param hasStatus whether the resource serves `/status`; without it `status` belongs to whoever writes it.
 */
export function fieldFilterOf(resource: {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly schema: StructSchema;
  readonly hasStatus: boolean;
}): FieldFilter {
  const name = resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;
  const endpoint = `${name}/${resource.subresource ?? ''}`;
  const included = INCLUDED[endpoint];
  if (included !== undefined) return onlyBelow(included);
  const exception = EXCEPTIONS[endpoint];
  if (exception !== undefined) return withoutFields(exception);
  if (resource.subresource === undefined) {
    return resource.hasStatus ? withoutFields([['status']]) : keepAll;
  }
  if (resource.subresource !== 'status') return keepAll;
  const resetsMetadata = resource.schema.name === '' || STATUS_RESETS_METADATA.has(resource.group);
  return withoutFields(resetsMetadata ? SPEC_AND_METADATA : SPEC);
}

/** The rule alone, for a caller that names no resource. */
export function defaultFieldFilter(schema: StructSchema, subresource: string | undefined): FieldFilter {
  if (subresource === 'status') return withoutFields(SPEC);
  const hasStatus = schema.byName.has('status');
  return subresource === undefined && hasStatus ? withoutFields([['status']]) : keepAll;
}
