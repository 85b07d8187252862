/**
 * Strategic merge patch: a merge patch that knows from the schema which lists merge by a key.
 *
 * The patch speaks through directives: `$patch: replace|delete` in a map (or a list item), `$retainKeys` (clear
 * every member not named), `$deleteFromPrimitiveList/<field>` and `$setElementOrder/<field>`. Kubernetes defines
 * their meaning by its server's behaviour; where that is odd (a new list item keeps directives inside it) this
 * does the same, since clients were written against it.
 */
import type { Schema, StructSchema } from '../schema.ts';
import { badRequest } from '../status-error.ts';
import { goPrint, goTypeName, isJsonObject, type JsonObject, jsonTypeName, setOwn } from './json-value.ts';
import { unclassifiedPatchError } from './patch-errors.ts';
import { mergeOrderedList, mergePatchList } from './strategic-list.ts';
import { fieldRule, type MergeContext } from './strategic-rule.ts';

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM_LIST = '$deleteFromPrimitiveList';
const ELEMENT_ORDER = '$setElementOrder';

/**
 * @param schema of the version the patch is written against; built-in kinds only.
 * @returns the patched document, not yet decoded: unknown fields of the patch are still in it. Parts the patch
 *   does not name are shared with `doc`.
 * @throws StatusError 400 when the patch or a directive is malformed, a list item lacks its
 *   merge key or a directive is unknown.
 */
export function applyStrategicMergePatch(schema: StructSchema, doc: unknown, patch: unknown): unknown {
  if (patch !== null && patch !== undefined && !isJsonObject(patch)) {
    throw badRequest(
      `json: cannot unmarshal ${jsonTypeName(patch)} into Go value of type map[string]interface {}`,
    );
  }
  return mergeMap(isJsonObject(doc) ? doc : {}, patch ?? {}, schema);
}

const context: MergeContext = { mergeMap, withoutDirectives: (value) => withoutDirectives(value).value };

function mergeMap(original: JsonObject, patch: JsonObject, schema: Schema): JsonObject {
  if (Object.hasOwn(patch, DIRECTIVE)) return obeyMapDirective(patch);
  const merged: Record<string, unknown> = { ...original };
  const pending = new Map(Object.entries(patch));
  retainKeys(merged, pending);
  mergeOrderedLists(merged, pending, schema);
  for (const [key, value] of pending) {
    if (key.startsWith(DELETE_FROM_LIST)) {
      const field = directiveField(key, DELETE_FROM_LIST, 'invalid patch format of primitive list');
      deleteFromList(merged, field, value, schema);
    } else {
      mergeField(merged, key, value, schema);
    }
  }
  return merged;
}

function obeyMapDirective(patch: JsonObject): JsonObject {
  const { [DIRECTIVE]: directive, ...rest } = patch;
  if (directive === 'replace') return rest;
  if (directive === 'delete') return {};
  throw unclassifiedPatchError(`unknown patch type: ${goPrint(directive)} in map: ${goPrint(patch)}`);
}

function retainKeys(merged: Record<string, unknown>, pending: Map<string, unknown>): void {
  const retained = pending.get(RETAIN_KEYS);
  if (!pending.delete(RETAIN_KEYS)) return;
  const malformed = (): Error => badRequest('invalid patch format of retainKeys');
  if (!Array.isArray(retained)) throw malformed();
  const kept = new Set<unknown>(retained);
  for (const [key, value] of pending) {
    const isDirective = key.startsWith(DELETE_FROM_LIST) || key.startsWith(ELEMENT_ORDER);
    if (value !== null && !isDirective && !kept.has(key)) throw malformed();
  }
  for (const key of Object.keys(merged)) if (!kept.has(key)) delete merged[key];
}

/** `$setElementOrder/<field>` together with the patch of that field; both leave `pending`. */
function mergeOrderedLists(
  merged: Record<string, unknown>,
  pending: Map<string, unknown>,
  schema: Schema,
): void {
  for (const [key, order] of Array.from(pending)) {
    if (!key.startsWith(ELEMENT_ORDER)) continue;
    pending.delete(key);
    const orderList = asList(order);
    const field = directiveField(key, ELEMENT_ORDER, 'invalid patch format of setElementOrder list');
    const hasOriginal = Object.hasOwn(merged, field);
    const hasPatch = pending.has(field);
    const original = hasOriginal ? asList(merged[field]) : undefined;
    const patchList = hasPatch ? asList(pending.get(field)) : undefined;
    const rule = fieldRule(schema, field, 'list');
    const result = mergeOrderedList(context, rule, original, patchList, orderList);
    if (result === undefined) continue;
    setOwn(merged, field, result);
    pending.delete(field);
  }
}

function asList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unclassifiedPatchError(`expected a []interface {}, but received a ${goTypeName(value)}`);
}

function directiveField(key: string, prefix: string, complaint: string): string {
  const slash = key.indexOf('/');
  if (slash < 0 || key.slice(0, slash) !== prefix) throw badRequest(complaint);
  return key.slice(slash + 1);
}

function deleteFromList(
  merged: Record<string, unknown>,
  field: string,
  toDelete: unknown,
  schema: Schema,
): void {
  if (toDelete === null) {
    delete merged[field];
    return;
  }
  const original = Object.hasOwn(merged, field) ? merged[field] : undefined;
  if (!Array.isArray(original) || !Array.isArray(toDelete)) return;
  setOwn(merged, field, mergePatchList(context, fieldRule(schema, field, 'list'), original, toDelete, true));
}

function mergeField(merged: Record<string, unknown>, key: string, value: unknown, schema: Schema): void {
  if (value === null) {
    delete merged[key];
    return;
  }
  const original = Object.hasOwn(merged, key) ? merged[key] : undefined;
  if (isJsonObject(original) && isJsonObject(value)) {
    const rule = fieldRule(schema, key, 'map');
    setOwn(merged, key, rule.strategy === 'replace' ? value : mergeMap(original, value, rule.schema));
  } else if (Array.isArray(original) && Array.isArray(value)) {
    const rule = fieldRule(schema, key, 'list');
    setOwn(
      merged,
      key,
      rule.strategy === 'merge' ? mergePatchList(context, rule, original, value, false) : value,
    );
  } else {
    takeValue(merged, key, value);
  }
}

/** The patch's value replaces what was there: without nulls and without anything a directive governs. */
function takeValue(merged: Record<string, unknown>, key: string, value: unknown): void {
  const { keep, value: taken } = withoutDirectives(withoutNulls(value));
  if (keep) setOwn(merged, key, taken);
  else delete merged[key];
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isJsonObject(value)) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) if (item !== null) setOwn(kept, key, withoutNulls(item));
  return kept;
}

function withoutDirectives(value: unknown): { readonly keep: boolean; readonly value: unknown } {
  if (Array.isArray(value)) {
    const items = value.map(withoutDirectives).filter((item) => item.keep);
    return { keep: true, value: items.map((item) => item.value) };
  }
  if (!isJsonObject(value)) return { keep: true, value };
  if (Object.hasOwn(value, DIRECTIVE)) return { keep: false, value: undefined };
  const kept: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    const item = withoutDirectives(member);
    if (item.keep) setOwn(kept, key, item.value);
  }
  return { keep: true, value: kept };
}
