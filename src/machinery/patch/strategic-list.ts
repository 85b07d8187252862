/**
 * Merging lists by their merge key (maps) or by value (primitives), and the order of the result.
 *
 * Order: items named by the patch stand in the patch's order (or that of `$setElementOrder`), the others in the
 * live order; the two are interleaved so that a live item stays before a patch item it preceded in the live list.
 */
import { badRequest } from '../status-error.ts';
import { goPrint, goTypeName, isJsonObject, type JsonObject } from './json-value.ts';
import { unclassifiedPatchError, unprocessablePatch } from './patch-errors.ts';
import type { FieldRule, MergeContext } from './strategic-rule.ts';

type Items = readonly unknown[];

/** Merges `patch` into `original`; with `deletes`, `patch` names the primitives to take out instead. */
export function mergePatchList(
  context: MergeContext,
  rule: FieldRule,
  original: Items,
  patch: Items,
  deletes: boolean,
): Items {
  if (original.length === 0 && patch.length === 0) return original;
  if (elementKind(original, patch) !== 'map') {
    if (deletes) {
      const gone = new Set(patch);
      return original.filter((item) => !gone.has(item));
    }
    const merged = withoutDuplicates([...original, ...patch]);
    return inOrder(merged, patch, original, '');
  }
  if (rule.mergeKey === '') {
    throw unclassifiedPatchError('cannot merge lists without merge key for struct');
  }
  const { base, items } = obeyItemDirectives(original, patch, rule.mergeKey);
  const merged = mergeItems(context, rule, base, items);
  return inOrder(merged, items, base, rule.mergeKey);
}

/**
 * The list of a field that came with `$setElementOrder`.
 * @returns undefined when neither side has the list.
 */
export function mergeOrderedList(
  context: MergeContext,
  rule: FieldRule,
  original: Items | undefined,
  patch: Items | undefined,
  order: Items,
): Items | undefined {
  checkPatchOrder(patch ?? [], order, rule.mergeKey);
  let merged: Items;
  if (original === undefined) {
    if (patch === undefined) return undefined;
    merged = context.withoutDirectives(patch) as Items;
  } else if (patch === undefined) {
    merged = original;
  } else {
    merged = rule.strategy === 'merge' ? mergePatchList(context, rule, original, patch, false) : patch;
  }
  elementKind(original ?? [], patch ?? []);
  return inOrder(merged, order, liveOrder(original ?? [], patch ?? [], rule.mergeKey), rule.mergeKey);
}

/**
 * Where an item stood in the live list. An item the patch adds takes the place of one it deletes, so replacing a
 * container by another keeps the list's order; upstream does so by the way it reuses the list's memory.
 */
function liveOrder(original: Items, patch: Items, mergeKey: string): Items {
  if (mergeKey === '') return original;
  const gone = new Set<unknown>();
  const named: unknown[] = [];
  for (const item of patch) {
    const map = asMap(item);
    if (directiveOf(map) === 'delete') gone.add(map[mergeKey]);
    else if (directiveOf(map) === undefined) named.push(item);
  }
  const kept = original.filter((item) => !gone.has(keyOf(item, mergeKey)));
  const known = new Set(kept.map((item) => keyOf(item, mergeKey)));
  const added = named.filter((item) => !known.has(keyOf(item, mergeKey)));
  return [...kept, ...added.slice(0, original.length - kept.length)];
}

/** The items of the patch must appear in `order`, in the same sequence. */
function checkPatchOrder(patch: Items, order: Items, mergeKey: string): void {
  if (patch.length === 0 || order.length === 0) return;
  const present = mergeKey === '' ? patch : patch.filter((item) => directiveOf(asMap(item)) !== 'delete');
  let next = 0;
  let at = 0;
  while (next < present.length && at < order.length) {
    if (isJsonObject(present[next]) && directiveOf(asMap(present[next])) !== undefined) {
      next++;
      continue;
    }
    if (keyOf(present[next], mergeKey) === keyOf(order[at], mergeKey)) next++;
    at++;
  }
  if (next < present.length && at >= order.length) {
    throw unclassifiedPatchError(
      `The order in patch list:\n${goPrint(patch)}\n doesn't match $setElementOrder list:\n${goPrint(order)}\n`,
    );
  }
}

/** Applies `$patch` in list items: `delete` takes matching items out, `replace` empties the live list. */
function obeyItemDirectives(
  original: Items,
  patch: Items,
  mergeKey: string,
): { readonly base: Items; readonly items: Items } {
  let base = original;
  let replaces = false;
  const items: unknown[] = [];
  for (const item of patch) {
    const map = asMap(item);
    const directive = directiveOf(map);
    if (directive === undefined) {
      items.push(item);
    } else if (directive === 'delete') {
      const key = requiredKey(map, mergeKey);
      base = base.filter((candidate) => asMap(candidate)[mergeKey] !== key);
    } else if (directive === 'replace') {
      replaces = true;
    } else if (directive === 'merge') {
      throw unclassifiedPatchError('merging lists cannot yet be specified in the patch');
    } else {
      throw unclassifiedPatchError(`unknown patch type: ${goPrint(directive)} in map: ${goPrint(map)}`);
    }
  }
  return replaces ? { base: items, items: [] } : { base, items };
}

function mergeItems(context: MergeContext, rule: FieldRule, base: Items, patch: Items): Items {
  const merged = [...base];
  const positions = new Map<unknown, number>();
  merged.forEach((item, i) => {
    const map = asMap(item);
    if (Object.hasOwn(map, rule.mergeKey) && !positions.has(map[rule.mergeKey])) {
      positions.set(map[rule.mergeKey], i);
    }
  });
  for (const item of patch) {
    const map = asMap(item);
    const key = requiredKey(map, rule.mergeKey);
    const position = positions.get(key);
    if (position === undefined) {
      positions.set(key, merged.push(item) - 1);
    } else {
      merged[position] = context.mergeMap(asMap(merged[position]), map, rule.schema);
    }
  }
  return merged;
}

/** Items named by `order` in its sequence, interleaved with the rest in the sequence of `live`. */
function inOrder(merged: Items, order: Items, live: Items, mergeKey: string): Items {
  if (mergeKey !== '') for (const item of order) requiredKey(asMap(item), mergeKey);
  const orderOf = ranks(order, mergeKey);
  const liveOf = ranks(live, mergeKey);
  const rank = (item: unknown, of: ReadonlyMap<unknown, number>): number =>
    of.get(keyOf(item, mergeKey)) ?? Number.MAX_SAFE_INTEGER;
  const named = merged.filter((item) => orderOf.has(requiredItemKey(item, mergeKey)));
  const others = merged.filter((item) => !orderOf.has(keyOf(item, mergeKey)));
  named.sort((a, b) => rank(a, orderOf) - rank(b, orderOf));
  others.sort((a, b) => rank(a, liveOf) - rank(b, liveOf));
  return interleave(others, named, (item) => liveOf.get(keyOf(item, mergeKey)));
}

function interleave(
  others: Items,
  named: Items,
  liveRank: (item: unknown) => number | undefined,
): readonly unknown[] {
  const result: unknown[] = [];
  let i = 0;
  for (const item of named) {
    const rank = liveRank(item);
    while (i < others.length && rank !== undefined) {
      const other = liveRank(others[i]);
      if (other === undefined || other >= rank) break;
      result.push(others[i++]);
    }
    result.push(item);
  }
  return [...result, ...others.slice(i)];
}

function ranks(items: Items, mergeKey: string): ReadonlyMap<unknown, number> {
  const ranks = new Map<unknown, number>();
  items.forEach((item, i) => {
    const key = keyOf(item, mergeKey);
    if (!ranks.has(key)) ranks.set(key, i);
  });
  return ranks;
}

const keyOf = (item: unknown, mergeKey: string): unknown =>
  mergeKey === '' || !isJsonObject(item) ? item : item[mergeKey];

const requiredItemKey = (item: unknown, mergeKey: string): unknown =>
  mergeKey === '' ? item : requiredKey(asMap(item), mergeKey);

function requiredKey(map: JsonObject, mergeKey: string): unknown {
  if (!Object.hasOwn(map, mergeKey)) {
    throw unclassifiedPatchError(`map: ${goPrint(map)} does not contain declared merge key: ${mergeKey}`);
  }
  return map[mergeKey];
}

const directiveOf = (map: JsonObject): unknown => (Object.hasOwn(map, '$patch') ? map.$patch : undefined);

function asMap(item: unknown): JsonObject {
  if (isJsonObject(item)) return item;
  throw unclassifiedPatchError(`expected a map[string]interface {}, but received a ${goTypeName(item)}`);
}

/** The one kind all items have. */
function elementKind(...lists: readonly Items[]): 'map' | 'primitive' {
  let found: string | undefined;
  for (const list of lists) {
    for (const item of list) {
      const type = goTypeName(item);
      if (item === null) throw badRequest('invalid JSON document');
      if (found === undefined && Array.isArray(item)) {
        throw unprocessablePatch('lists of lists are not supported');
      }
      if (found !== undefined && found !== type) {
        throw unclassifiedPatchError(`list element types are not identical: ${goPrint(lists)}`);
      }
      found = type;
    }
  }
  if (found === undefined) throw unclassifiedPatchError('no elements in any of the given slices');
  return found === 'map[string]interface {}' ? 'map' : 'primitive';
}

function withoutDuplicates(items: Items): readonly unknown[] {
  return [...new Set(items)];
}
