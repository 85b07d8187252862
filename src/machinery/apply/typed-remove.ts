/** Taking a set of fields out of a value. */
import { isJsonObject, setOwn } from '../patch/json-value.ts';
import { type ApplyType, formFor } from './apply-type.ts';
import { type FieldTree, hasChildren, isMember } from './field-tree.ts';
import { knownItemStep } from './list-item.ts';
import { fieldStep } from './path-element.ts';

/**
 * @returns `value` without the members of `set`; null for a list or map that lost everything, and for one owned as
 *   a whole of which a part was to go. Untouched parts are shared.
 */
export function removeFields(type: ApplyType, value: unknown, set: FieldTree): unknown {
  const form = formFor(type, value);
  if (form.kind === 'scalar') return value;
  if (form.kind === 'list') {
    if (!Array.isArray(value) || value.length === 0 || form.list.atomic) return null;
    const kept: unknown[] = [];
    for (const item of value) {
      const step = knownItemStep(form.list, item);
      const node = step === undefined ? undefined : set[step];
      if (node === undefined) kept.push(item);
      else if (!isMember(node)) kept.push(below(form.list.items, item, node));
    }
    return kept.length > 0 ? kept : null;
  }
  if (!isJsonObject(value) || form.map.atomic) return null;
  const kept: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    const node = set[fieldStep(name)];
    if (node !== undefined && isMember(node)) continue;
    const memberType = form.map.typeOf(name);
    setOwn(
      kept,
      name,
      node === undefined || memberType === undefined ? member : below(memberType, member, node),
    );
  }
  return Object.keys(kept).length > 0 ? kept : null;
}

function below(type: ApplyType, value: unknown, node: FieldTree): unknown {
  return hasChildren(node) ? removeFields(type, value, node) : value;
}
