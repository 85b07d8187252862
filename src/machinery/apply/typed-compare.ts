/** What changed between two values of one type, as sets of fields. */
import { isJsonObject } from '../patch/json-value.ts';
import { type ApplyType, type Form, formFor, type ListForm, type MapForm } from './apply-type.ts';
import { type BuilderNode, builderNode, builtTree, childOf, type FieldTree } from './field-tree.ts';
import { knownItemStep } from './list-item.ts';
import { fieldStep } from './path-element.ts';
import { sameValue } from './same-value.ts';

export interface Comparison {
  readonly added: FieldTree;
  readonly modified: FieldTree;
  readonly removed: FieldTree;
}

export function compareValues(type: ApplyType, before: unknown, after: unknown): Comparison {
  const root: Place = {
    parent: undefined,
    step: '',
    added: builderNode(),
    modified: builderNode(),
    removed: builderNode(),
  };
  new CompareWalk().compare(type, before, after, root);
  return {
    added: treeAt(root.added),
    modified: treeAt(root.modified),
    removed: treeAt(root.removed),
  };
}

const treeAt = (node: BuilderNode | undefined): FieldTree => builtTree(node ?? builderNode());

type Outcome = 'added' | 'modified' | 'removed';

/** Where the walk is. Its node in each of the trees is made when something at or below it goes into that tree. */
interface Place extends Record<Outcome, BuilderNode | undefined> {
  readonly parent: Place | undefined;
  readonly step: string;
}

const below = (parent: Place, step: string): Place => ({
  parent,
  step,
  added: undefined,
  modified: undefined,
  removed: undefined,
});

function nodeAt(place: Place, outcome: Outcome): BuilderNode {
  let node = place[outcome];
  if (node === undefined) {
    node = place.parent === undefined ? builderNode() : childOf(nodeAt(place.parent, outcome), place.step);
    place[outcome] = node;
  }
  return node;
}

function insert(place: Place, outcome: Outcome): void {
  nodeAt(place, outcome).member = true;
}

/** In the walk `undefined` is "not there", which is different from a null that is there. */
class CompareWalk {
  compare(type: ApplyType, before: unknown, after: unknown, place: Place): void {
    if (before === after) return;
    const formBefore = formFor(type, before);
    const formAfter = formFor(type, after);
    let isLeaf: boolean;
    if (after === undefined) {
      isLeaf = this.#compareAs(formBefore, before, after, place);
    } else if (before === undefined || formBefore.kind === formAfter.kind) {
      isLeaf = this.#compareAs(formAfter, before, after, place);
    } else {
      this.#compareAs(formBefore, before, after, place);
      isLeaf = this.#compareAs(formAfter, before, after, place);
    }
    if (isLeaf) return;
    if (before === undefined) insert(place, 'added');
    else if (after === undefined) insert(place, 'removed');
  }

  /** @returns true when the two were compared as a whole. */
  #compareAs(form: Form, before: unknown, after: unknown, place: Place): boolean {
    if (form.kind === 'map') {
      const left = isJsonObject(before) ? before : {};
      const right = isJsonObject(after) ? after : {};
      if (!form.map.atomic && !(isEmptyObject(left) && isEmptyObject(right))) {
        this.#compareMembers(form.map, left, right, place);
        return false;
      }
    } else if (form.kind === 'list') {
      const left = Array.isArray(before) ? before : [];
      const right = Array.isArray(after) ? after : [];
      if (!form.list.atomic && left.length + right.length > 0) {
        this.#compareItems(form.list, left, right, place);
        return false;
      }
    }
    if (before === undefined) insert(place, 'added');
    else if (after === undefined) insert(place, 'removed');
    else if (!sameValue(before, after)) insert(place, 'modified');
    return true;
  }

  #compareMembers(
    map: MapForm,
    before: Readonly<Record<string, unknown>>,
    after: Readonly<Record<string, unknown>>,
    place: Place,
  ): void {
    for (const name of Object.keys(before)) {
      const type = map.typeOf(name);
      if (type === undefined) continue;
      const next = Object.hasOwn(after, name) ? after[name] : undefined;
      if (before[name] !== next) this.compare(type, before[name], next, below(place, fieldStep(name)));
    }
    for (const name of Object.keys(after)) {
      const type = map.typeOf(name);
      if (type === undefined || Object.hasOwn(before, name)) continue;
      this.compare(type, undefined, after[name], below(place, fieldStep(name)));
    }
  }

  #compareItems(list: ListForm, before: readonly unknown[], after: readonly unknown[], place: Place): void {
    const left = itemsByStep(list, before);
    const right = itemsByStep(list, after);
    for (const step of new Set([...left.keys(), ...right.keys()])) {
      const [oldItems, newItems] = [left.get(step) ?? [], right.get(step) ?? []];
      if (oldItems.length <= 1 && newItems.length <= 1) {
        this.compare(list.items, oldItems[0], newItems[0], below(place, step));
      } else if (oldItems.length > 1 && newItems.length > 1) {
        if (!sameValue(oldItems, newItems)) insert(below(place, step), 'modified');
      } else if (oldItems.length > 1) {
        if (newItems.length > 0) this.compare(list.items, undefined, newItems[0], below(place, step));
        insert(below(place, step), 'removed');
      } else {
        if (oldItems.length > 0) this.compare(list.items, oldItems[0], undefined, below(place, step));
        insert(below(place, step), 'added');
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
