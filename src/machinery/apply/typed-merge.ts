/** Merging an applied configuration into the live object. */
import { isJsonObject, setOwn } from '../patch/json-value.ts';
import { type ApplyType, formFor, type ListForm, type MapForm } from './apply-type.ts';
import { itemStep } from './list-item.ts';

/**
 * @returns the merged value. Nothing is removed; where both set a leaf, `applied` wins. Parts only one side has are
 *   shared with it.
 * @throws Error when an item of a merged list cannot be identified.
 */
export function mergeValues(type: ApplyType, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live;
  if (live === undefined) return applied;
  const form = formFor(type, applied === null ? live : applied);
  if (form.kind === 'map' && !form.map.atomic) {
    const left = isJsonObject(live) ? live : {};
    const right = isJsonObject(applied) ? applied : {};
    if (Object.keys(left).length + Object.keys(right).length > 0) return mergeMembers(form.map, left, right);
  } else if (form.kind === 'list' && !form.list.atomic) {
    const left = Array.isArray(live) ? live : [];
    const right = Array.isArray(applied) ? applied : [];
    if (left.length + right.length > 0) return mergeItems(form.list, left, right);
  }
  return applied;
}

function mergeMembers(
  map: MapForm,
  live: Readonly<Record<string, unknown>>,
  applied: Readonly<Record<string, unknown>>,
): unknown {
  const merged: Record<string, unknown> = { ...live };
  for (const [name, value] of Object.entries(applied)) {
    const type = map.typeOf(name);
    if (type === undefined) continue;
    const current = Object.hasOwn(live, name) ? live[name] : undefined;
    setOwn(merged, name, mergeValues(type, current, value));
  }
  return merged;
}

interface IndexedItems {
  readonly steps: readonly string[];
  /** An item that occurs twice is null: it is not merged with anything. */
  readonly byStep: ReadonlyMap<string, unknown>;
}

function indexItems(list: ListForm, items: readonly unknown[]): IndexedItems {
  const byStep = new Map<string, unknown>();
  const steps = items.map((item, i) => {
    let step: string;
    try {
      step = itemStep(list, item);
    } catch (e) {
      throw new Error(`element ${i}: ${(e as Error).message}`, { cause: e });
    }
    byStep.set(step, byStep.has(step) ? null : item);
    return step;
  });
  return { steps, byStep };
}

/**
 * Applied items keep their order; a live item that was not applied stays in front of the shared item it preceded.
 *
 * Example: live [a b c d], applied [d x b] → [a d x b c]: the shared items b and d follow the applied order, a was
 * before every shared item and c after b.
 */
function mergeItems(list: ListForm, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const left = indexItems(list, live);
  const right = indexItems(list, applied);
  const shared = right.steps.filter((step) => left.byStep.has(step));
  const merged: unknown[] = [];
  const taken = new Set<string>();
  let nextShared = 0;
  let l = 0;
  let r = 0;
  const takeApplied = (step: string): void => {
    taken.add(step);
    merged.push(mergeValues(list.items, left.byStep.get(step), right.byStep.get(step)));
    r++;
  };
  while (l < left.steps.length || r < right.steps.length) {
    const leftStep = left.steps[l];
    const rightStep = right.steps[r];
    if (leftStep !== undefined && leftStep === rightStep) {
      takeApplied(rightStep);
      l++;
      nextShared++;
      continue;
    }
    const isShared = leftStep !== undefined && right.byStep.has(leftStep);
    if (leftStep !== undefined && rightStep !== undefined && isShared) {
      const expected = shared[nextShared];
      if (expected !== undefined && expected !== leftStep) {
        l++;
        continue;
      }
    }
    if (leftStep !== undefined) {
      if (!isShared) {
        merged.push(live[l]);
        l++;
        continue;
      }
      if (taken.has(leftStep)) l++;
    }
    if (rightStep !== undefined) {
      takeApplied(rightStep);
      if (shared[nextShared] === rightStep) nextShared++;
    }
  }
  return merged;
}
