import { forbidden, groupResourceName, type KubeObject, type StatusError } from '#machinery';
import type { AdmissionAttributes } from './admission.ts';

/** The 403 of an admission plugin: `pods "web" is forbidden: <why>`. A name not yet made shows as its prefix. */
export function refusal(attributes: AdmissionAttributes, why: string): StatusError {
  const { target, object } = attributes;
  const names = [target.name, object?.metadata.name, object?.metadata.generateName];
  return forbidden(target, names.find((name) => name !== undefined && name !== '') ?? 'Unknown', why);
}

/** `pods` or `pods/status`, with the group where there is one: `ingresses.networking.k8s.io`. */
export function resourceOf({ target }: AdmissionAttributes): string {
  const resource = groupResourceName(target);
  return target.subresource === undefined || target.subresource === ''
    ? resource
    : `${resource}/${target.subresource}`;
}

/** A copy with some fields of its spec changed. */
export function withSpec(object: KubeObject, changes: object): KubeObject {
  return { ...object, spec: { ...(object.spec as object | undefined), ...changes } };
}

/** A copy with some fields of its metadata changed. */
export function withMetadata(object: KubeObject, changes: Partial<KubeObject['metadata']>): KubeObject {
  return { ...object, metadata: { ...object.metadata, ...changes } };
}
