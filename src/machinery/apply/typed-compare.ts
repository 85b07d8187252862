/** What changed between two values of one type, as sets of fields. */
import { isJsonObject } from '../patch/json-value.ts';
import { type ApplyType, type Form, formFor, type ListForm, type MapForm } from './apply-type.ts';
import { type FieldTree, FieldTreeBuilder } from './field-tree.ts';
import { knownItemStep } from './list-item.ts';
import { fieldStep } from './path-element.ts';
import { sameValue } from './same-value.ts';

export interface Comparison {
  readonly added: FieldTree;
  readonly modified: FieldTree;
  readonly removed: FieldTree;
}

export function compareValues(type: ApplyType, before: unknown, after: unknown): Comparison {
  const walk = new CompareWalk();
  walk.compare(type, before, after, []);
  return {
    added: walk.added.build(),
    modified: walk.modified.build(),
    removed: walk.removed.build(),
  };
}

type Path = readonly string[];

/** In the walk `undefined` is "not there", which is different from a null that is there. */
class CompareWalk {
  readonly added = new FieldTreeBuilder();
  readonly modified = new FieldTreeBuilder();
  readonly removed = new FieldTreeBuilder();

  compare(type: ApplyType, before: unknown, after: unknown, path: Path): void {
    if (before === after) return;
    const formBefore = formFor(type, before);
    const formAfter = formFor(type, after);
    let isLeaf: boolean;
    if (after === undefined) {
      isLeaf = this.#compareAs(formBefore, before, after, path);
    } else if (before === undefined || formBefore.kind === formAfter.kind) {
      isLeaf = this.#compareAs(formAfter, before, after, path);
    } else {
      this.#compareAs(formBefore, before, after, path);
      isLeaf = this.#compareAs(formAfter, before, after, path);
    }
    if (isLeaf) return;
    if (before === undefined) this.added.insert(path);
    else if (after === undefined) this.removed.insert(path);
  }

  /** @returns true when the two were compared as a whole. */
  #compareAs(form: Form, before: unknown, after: unknown, path: Path): boolean {
    if (form.kind === 'map') {
      const left = isJsonObject(before) ? before : {};
      const right = isJsonObject(after) ? after : {};
      if (!form.map.atomic && !(isEmptyObject(left) && isEmptyObject(right))) {
        this.#compareMembers(form.map, left, right, path);
        return false;
      }
    } else if (form.kind === 'list') {
      const left = Array.isArray(before) ? before : [];
      const right = Array.isArray(after) ? after : [];
      if (!form.list.atomic && left.length + right.length > 0) {
        this.#compareItems(form.list, left, right, path);
        return false;
      }
    }
    if (before === undefined) this.added.insert(path);
    else if (after === undefined) this.removed.insert(path);
    else if (!sameValue(before, after)) this.modified.insert(path);
    return true;
  }

  #compareMembers(
    map: MapForm,
    before: Readonly<Record<string, unknown>>,
    after: Readonly<Record<string, unknown>>,
    path: Path,
  ): void {
    for (const name of Object.keys(before)) {
      const type = map.typeOf(name);
      if (type === undefined) continue;
      const next = Object.hasOwn(after, name) ? after[name] : undefined;
      if (before[name] !== next) this.compare(type, before[name], next, [...path, fieldStep(name)]);
    }
    for (const name of Object.keys(after)) {
      const type = map.typeOf(name);
      if (type === undefined || Object.hasOwn(before, name)) continue;
      this.compare(type, undefined, after[name], [...path, fieldStep(name)]);
    }
  }

  #compareItems(list: ListForm, before: readonly unknown[], after: readonly unknown[], path: Path): void {
    const left = itemsByStep(list, before);
    const right = itemsByStep(list, after);
    for (const step of new Set([...left.keys(), ...right.keys()])) {
      const [oldItems, newItems] = [left.get(step) ?? [], right.get(step) ?? []];
      if (oldItems.length <= 1 && newItems.length <= 1) {
        this.compare(list.items, oldItems[0], newItems[0], [...path, step]);
      } else if (oldItems.length > 1 && newItems.length > 1) {
        if (!sameValue(oldItems, newItems)) this.modified.insert(path, step);
      } else if (oldItems.length > 1) {
        if (newItems.length > 0) this.compare(list.items, undefined, newItems[0], [...path, step]);
        this.removed.insert(path, step);
      } else {
        if (oldItems.length > 0) this.compare(list.items, oldItems[0], undefined, [...path, step]);
        this.added.insert(path, step);
      }
    }
  }
}

function itemsByStep(list: ListForm, items: readonly unknown[]): Map<string, unknown[]> {
  const byStep = new Map<string, unknown[]>();
  for (const item of items) {
    const step = knownItemStep(list, item);
    if (step === undefined) continue;
    const same = byStep.get(step);
    if (same === undefined) byStep.set(step, [item]);
    else same.push(item);
  }
  return byStep;
}

function isEmptyObject(object: object): boolean {
  for (const _ in object) return false;
  return true;
}
