/** From a value to the set of fields it mentions. */
import { isJsonObject } from '../patch/json-value.ts';
import { type ApplyType, formFor, type ListForm } from './apply-type.ts';
import { type FieldTree, FieldTreeBuilder, hasChildren, isMember, LEAF } from './field-tree.ts';
import { knownItemStep } from './list-item.ts';
import { fieldStep, isFieldStep, isKeyStep, SELF, stepField } from './path-element.ts';

/** Every leaf and list item that `value` mentions; a list or map owned as a whole counts as a leaf. */
export function fieldSetOf(type: ApplyType, value: unknown): FieldTree {
  const builder = new FieldTreeBuilder();
  collect(type, value, [], builder);
  return builder.build();
}

function collect(type: ApplyType, value: unknown, path: readonly string[], builder: FieldTreeBuilder): void {
  const form = formFor(type, value);
  if (form.kind === 'scalar' || (form.kind === 'list' ? form.list.atomic : form.map.atomic)) {
    builder.insert(path);
  } else if (form.kind === 'list') {
    if (Array.isArray(value)) collectItems(form.list, value, path, builder);
  } else if (isJsonObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      const memberPath = [...path, fieldStep(name)];
      const memberType = form.map.typeOf(name);
      if (memberType !== undefined) collect(memberType, member, memberPath, builder);
      const isEmpty = member === null || (isJsonObject(member) && Object.keys(member).length === 0);
      if (isEmpty || !form.map.declares(name)) builder.insert(memberPath);
    }
  }
}

/** Items that occur twice are owned as one leaf: nobody can tell them apart. */
function collectItems(
  list: ListForm,
  items: readonly unknown[],
  path: readonly string[],
  builder: FieldTreeBuilder,
): void {
  const steps = items.map((item) => knownItemStep(list, item));
  const counts = new Map<string, number>();
  for (const step of steps) if (step !== undefined) counts.set(step, (counts.get(step) ?? 0) + 1);
  for (const [i, step] of steps.entries()) {
    if (step === undefined) continue;
    builder.insert(path, step);
    if (counts.get(step) === 1) collect(list.items, items[i], [...path, step], builder);
  }
}

/** The set with every declared field on the way to a member made a member too. */
export function withNamedFields(set: FieldTree, type: ApplyType | undefined): FieldTree {
  const result: Record<string, FieldTree> = {};
  for (const step in set) {
    const node = set[step];
    if (node === undefined) continue;
    if (step === SELF || !hasChildren(node)) {
      result[step] = node;
      continue;
    }
    const named = isFieldStep(step) && type?.map?.declares(stepField(step)) === true;
    const inner = withNamedFields(node, typeBelow(type, step));
    result[step] = named && !isMember(node) ? { [SELF]: LEAF, ...inner } : inner;
  }
  return result;
}

function typeBelow(type: ApplyType | undefined, step: string): ApplyType | undefined {
  if (isFieldStep(step)) return type?.map?.typeOf(stepField(step));
  return isKeyStep(step) ? type?.list?.items : undefined;
}
