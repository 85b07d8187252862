/**
 * JSON Merge Patch (RFC 7386). Null removes a member; nulls inside values that are new to the document are
 * dropped, also inside lists of objects, while a null that is itself a list item stays.
 */
import { badRequest } from '../status-error.ts';
import { isJsonObject, type JsonObject, jsonTypeName, ownValue, setOwn } from './json-value.ts';
import { undecodablePatch } from './patch-errors.ts';

/**
 * @returns the patched document; parts the patch does not name are shared with `doc`.
 * @throws StatusError 400 when `patch` is not an object.
 */
export function applyMergePatch(doc: unknown, patch: unknown): unknown {
  if (patch === null || patch === undefined) throw badRequest('Invalid JSON Patch');
  if (!isJsonObject(patch)) {
    throw undecodablePatch(
      `json: cannot unmarshal ${jsonTypeName(patch)} into Go value of type map[string]interface {}`,
    );
  }
  return isJsonObject(doc) ? mergeObjects(doc, patch) : withoutNulls(patch);
}

function mergeObjects(current: JsonObject, patch: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...current };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else setOwn(merged, key, mergeValue(ownValue(merged, key), value));
  }
  return merged;
}

function mergeValue(current: unknown, value: unknown): unknown {
  if (!isJsonObject(current)) return withoutNulls(value);
  return isJsonObject(value) ? mergeObjects(current, value) : value;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isJsonObject(value)) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== null) setOwn(kept, key, withoutNulls(item));
  }
  return kept;
}
