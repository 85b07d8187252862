/** What a PATCH makes of the object that is there. */
import {
  applyJsonPatch,
  applyMergePatch,
  applyServerSide,
  applyStrategicMergePatch,
  badRequest,
  decodeObject,
  goPrint,
  type FieldValidation,
  invalid,
  invalidObject,
  isStatusError,
  type KubeObject,
  notFound,
  type PatchOptions,
  type PatchType,
  StatusError,
  strictDecodingError,
} from '#machinery';
import { checkName, inRequestNamespace } from './object-metadata.ts';
import type { ServedResource } from './served-resource.ts';
import type { Transform } from './write-call.ts';

export interface PatchRequest {
  readonly type: PatchType;
  /** Parsed JSON or YAML. */
  readonly patch: unknown;
  readonly duplicates: readonly string[];
  readonly name: string;
  readonly manager: string;
  readonly subresource: string | undefined;
  readonly options: PatchOptions;
  readonly now: string;
  readonly warn: (text: string) => void;
}

export function patchTransform(served: ServedResource, request: PatchRequest): Transform {
  if (request.type === 'application/apply-patch+yaml') return (live) => apply(served, request, live);
  return (live) => {
    if (live === undefined) throw notFound(served.groupResource, request.name);
    const next = decodePatched(served, request, patched(served, request, live));
    return checkName(inRequestNamespace(next, live.metadata.namespace), request.name);
  };
}

function patched(served: ServedResource, request: PatchRequest, live: KubeObject): unknown {
  switch (request.type) {
    case 'application/json-patch+json':
      return applyJsonPatch(live, request.patch);
    case 'application/merge-patch+json':
      return applyMergePatch(live, request.patch);
    case 'application/strategic-merge-patch+json':
      if (served.stored.isCustom) throw unsupportedPatch(served);
      return applyStrategicMergePatch(served.schema, live, request.patch);
    case 'application/apply-patch+yaml':
      throw new Error('server-side apply does not patch');
    default:
      return request.type satisfies never;
  }
}

export function unsupportedPatch(served: ServedResource): StatusError {
  const types = 'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml';
  const supported = served.stored.isCustom ? types : `${types}, application/strategic-merge-patch+json`;
  return new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${supported}`,
  );
}

/** @throws StatusError 422 when the patch turned the object into something else. */
function decodePatched(served: ServedResource, request: PatchRequest, value: unknown): KubeObject {
  const fieldValidation: FieldValidation = request.options.fieldValidation ?? 'Warn';
  try {
    const { object, problems } = decodeObject(served.schema, value, {
      fieldValidation,
      duplicates: request.duplicates,
    });
    if (problems.length > 0 && fieldValidation === 'Strict') {
      throw invalidPatch(sortedJson(value), strictDecodingError(problems).message);
    }
    if (fieldValidation === 'Warn') for (const problem of problems) request.warn(problem);
    return served.setDefaults(object);
  } catch (error) {
    if (!isStatusError(error) || error.code !== 400) throw error;
    // A strategic patch is merged into a typed object, so upstream blames the patch and not the result.
    if (request.type === 'application/strategic-merge-patch+json') {
      throw invalidPatch(goPrint(request.patch), asConversionError(error.message));
    }
    throw invalidPatch(sortedJson(value), error.message);
  }
}

function invalidPatch(shown: string, why: string): StatusError {
  return invalidObject({ group: '', kind: '' }, '', [invalid('patch', shown, why)]);
}

/** Upstream converts a strategic patch without JSON, so the same mistake has another message there. */
function asConversionError(message: string): string {
  const [, given, goType] = /cannot unmarshal (\w+) .*of type (\S+)$/.exec(message) ?? [];
  if (given === undefined || goType === undefined) return message;
  if (goType.startsWith('map[')) return `cannot restore map from ${given}`;
  if (goType.startsWith('[]')) return `cannot restore slice from ${given}`;
  return goType.includes('.') ? `cannot restore struct from: ${given}` : `unrecognized type: ${goType}`;
}

/** As Go prints a map: members in order. */
function sortedJson(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return JSON.stringify(value);
  return JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function apply(served: ServedResource, request: PatchRequest, live: KubeObject | undefined): KubeObject {
  const applied = request.patch;
  if (typeof applied !== 'object' || applied === null || Array.isArray(applied)) {
    throw badRequest(`error decoding YAML: error converting YAML to JSON: not an object`);
  }
  if (live !== undefined) checkUid(served, applied, live);
  const { object } = applyServerSide({
    schema: served.schema,
    live,
    applied,
    manager: request.manager,
    force: request.options.force === true,
    apiVersion: served.apiVersion,
    ...(request.subresource === undefined ? {} : { subresource: request.subresource }),
    now: request.now,
  });
  const { object: decoded } = decodeObject(served.schema, object, { fieldValidation: 'Ignore' });
  return checkName(served.setDefaults(decoded), request.name);
}

function checkUid(served: ServedResource, applied: Partial<KubeObject>, live: KubeObject): void {
  const uid = applied.metadata?.uid;
  if (uid === undefined || uid === '' || uid === live.metadata.uid) return;
  throw new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${served.info.resource} "${live.metadata.name ?? ''}": uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
  );
}
