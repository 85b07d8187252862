/**
 * One resource in another of its served versions. Most versions differ in name only; where shapes differ, a
 * conversion says how, and the result is brought into the shape Go prints.
 */
import { apiVersionOf, decodeObject, type KubeObject, parseApiVersion } from '#machinery';
import { schemaOf } from '../schema/schema-table.ts';
import { coreEventOf, eventsEventOf } from './events.ts';
import type { Fields } from './fields.ts';
import { autoscalerV1Of, autoscalerV2Of } from './horizontal-pod-autoscaler.ts';
import {
  claimFromV1Beta1,
  claimTemplateFromV1Beta1,
  claimTemplateToV1Beta1,
  claimToV1Beta1,
  sliceFromV1Beta1,
  sliceToV1Beta1,
} from './resource-claims.ts';

interface Conversion {
  readonly kind: string;
  readonly from: (apiVersion: string) => boolean;
  readonly to: (apiVersion: string) => boolean;
  readonly convert: (object: Fields) => Fields;
}

const is =
  (...versions: readonly string[]) =>
  (apiVersion: string): boolean =>
    versions.includes(apiVersion);
const resourceV1Beta1 = is('resource.k8s.io/v1beta1');
const resourceLater = is('resource.k8s.io/v1', 'resource.k8s.io/v1beta2');

const CONVERSIONS: readonly Conversion[] = [
  { kind: 'Event', from: is('v1'), to: is('events.k8s.io/v1'), convert: eventsEventOf },
  { kind: 'Event', from: is('events.k8s.io/v1'), to: is('v1'), convert: coreEventOf },
  {
    kind: 'HorizontalPodAutoscaler',
    from: is('autoscaling/v1'),
    to: is('autoscaling/v2'),
    convert: autoscalerV2Of,
  },
  {
    kind: 'HorizontalPodAutoscaler',
    from: is('autoscaling/v2'),
    to: is('autoscaling/v1'),
    convert: autoscalerV1Of,
  },
  { kind: 'ResourceClaim', from: resourceV1Beta1, to: resourceLater, convert: claimFromV1Beta1 },
  { kind: 'ResourceClaim', from: resourceLater, to: resourceV1Beta1, convert: claimToV1Beta1 },
  {
    kind: 'ResourceClaimTemplate',
    from: resourceV1Beta1,
    to: resourceLater,
    convert: claimTemplateFromV1Beta1,
  },
  {
    kind: 'ResourceClaimTemplate',
    from: resourceLater,
    to: resourceV1Beta1,
    convert: claimTemplateToV1Beta1,
  },
  { kind: 'ResourceSlice', from: resourceV1Beta1, to: resourceLater, convert: sliceFromV1Beta1 },
  { kind: 'ResourceSlice', from: resourceLater, to: resourceV1Beta1, convert: sliceToV1Beta1 },
];

/**
 * The object in another version (and, for events, group). The same object when it already is in it. Only between
 * versions of one resource; defaults of the new version are not applied.
 */
export function convert(
  object: KubeObject,
  to: { readonly group: string; readonly version: string },
): KubeObject {
  const target = apiVersionOf(to);
  if (object.apiVersion === target) return object;
  const conversion = CONVERSIONS.find(
    ({ kind, from, to: accepts }) => kind === object.kind && from(object.apiVersion) && accepts(target),
  );
  if (conversion === undefined) return { ...object, apiVersion: target };
  const converted = { ...conversion.convert(object), apiVersion: target };
  const schema = schemaOf({ ...parseApiVersion(target), kind: object.kind });
  if (schema === undefined) throw new Error(`no schema facts for ${object.kind} ${target}`);
  return decodeObject(schema, converted, { fieldValidation: 'Ignore' }).object;
}
