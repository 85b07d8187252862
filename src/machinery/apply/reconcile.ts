/** Sets written before a list or map became one that is owned as a whole. */
import type { ApplyType } from './apply-type.ts';
import { type FieldTree, hasChildren, LEAF } from './field-tree.ts';
import { isFieldStep, SELF, stepField } from './path-element.ts';

/** Remembers the last answer per set: sets live as long as the stored object that carries them. */
const reconciled = new WeakMap<FieldTree, { readonly type: ApplyType; readonly set: FieldTree }>();

/** @returns `set` with parts of what is now owned as a whole replaced by the whole. */
export function reconcileWithSchema(type: ApplyType, set: FieldTree): FieldTree {
  const known = reconciled.get(set);
  if (known?.type === type) return known.set;
  const result = reconcileChildren(type, set);
  reconciled.set(set, { type, set: result });
  return result;
}

function reconcileNode(type: ApplyType, node: FieldTree): FieldTree {
  if (!hasChildren(node)) return node;
  if (type.map !== undefined) {
    if (type.map.free) return node;
    return type.map.atomic ? LEAF : reconcileChildren(type, node);
  }
  if (type.list === undefined) return node;
  return type.list.atomic ? LEAF : reconcileChildren(type, node);
}

function reconcileChildren(type: ApplyType, node: FieldTree): FieldTree {
  let result: Record<string, FieldTree> | undefined;
  for (const step in node) {
    const child = node[step];
    if (step === SELF || child === undefined) continue;
    const childType =
      type.map === undefined ? type.list?.items : type.map.typeOf(isFieldStep(step) ? stepField(step) : step);
    if (childType === undefined) continue;
    const next = reconcileNode(childType, child);
    if (next === child) continue;
    result ??= { ...node };
    result[step] = next;
  }
  return result ?? node;
}
