/**
 * Objects that were managed by client-side apply. When `kubectl` applies to them server-side, fields that still are
 * as the last client-side apply left them are no conflict, and the annotation is kept in step.
 */
import type { KubeObject } from '../object.ts';
import { isJsonObject } from '../patch/json-value.ts';
import type { ApplyType } from './apply-type.ts';
import { difference, type FieldTree, isEmptyTree } from './field-tree.ts';
import { compareValues } from './typed-compare.ts';
import { fieldSetOf } from './typed-field-set.ts';
import { typeErrors } from './typed-validation.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** The one manager that takes over from client-side apply. */
export const CLIENT_SIDE_APPLY_SUCCESSOR = 'kubectl';
/** All annotations of an object together, in bytes; an annotation that would exceed it is left out. */
const MAX_ANNOTATIONS_BYTES = 256 * 1024;

/** What of the last client-side apply is unchanged in `live`; undefined when there was none. */
function unchangedLastApplied(type: ApplyType, live: KubeObject, apiVersion: string): FieldTree | undefined {
  const annotation = live.metadata.annotations?.[LAST_APPLIED];
  if (annotation === undefined || annotation === '') return undefined;
  let applied: unknown;
  try {
    applied = JSON.parse(annotation);
  } catch {
    return undefined;
  }
  if (!isJsonObject(applied) || applied.apiVersion !== apiVersion) return undefined;
  if (typeErrors(type, applied) !== undefined) return undefined;
  const change = compareValues(type, applied, live);
  return [change.modified, change.added, change.removed].reduce(difference, fieldSetOf(type, applied));
}

/**
 * Conflicts that remain when the last client-side apply is taken into account; undefined when none do and the
 * apply may be forced.
 */
export function conflictsBeyondLastApplied(
  type: ApplyType,
  live: KubeObject,
  apiVersion: string,
  conflicts: ReadonlyMap<string, FieldTree>,
): ReadonlyMap<string, FieldTree> | undefined {
  const allowed = unchangedLastApplied(type, live, apiVersion);
  if (allowed === undefined) return conflicts;
  const remaining = new Map<string, FieldTree>();
  for (const [id, set] of conflicts) {
    const rest = difference(set, allowed);
    if (!isEmptyTree(rest)) remaining.set(id, rest);
  }
  return remaining.size === 0 ? undefined : remaining;
}

/** The object with its annotation set to `applied`, when it has one. */
export function withLastApplied(object: KubeObject, applied: KubeObject): KubeObject {
  const { annotations } = object.metadata;
  const current = annotations?.[LAST_APPLIED];
  if (annotations === undefined || current === undefined || current === '') return object;
  const { [LAST_APPLIED]: _, ...rest } = annotations;
  const text = `${JSON.stringify(sortedKeys(withoutAnnotation(applied)))}\n`;
  const size = Object.entries({ ...rest, [LAST_APPLIED]: text }).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
  return {
    ...object,
    metadata: {
      ...object.metadata,
      annotations: size > MAX_ANNOTATIONS_BYTES ? rest : { ...rest, [LAST_APPLIED]: text },
    },
  };
}

function withoutAnnotation(applied: KubeObject): KubeObject {
  const annotations = applied.metadata?.annotations;
  if (annotations?.[LAST_APPLIED] === undefined) return applied;
  const { [LAST_APPLIED]: _, ...rest } = annotations;
  return { ...applied, metadata: { ...applied.metadata, annotations: rest } };
}

function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sortedKeys(value[key])]),
  );
}
