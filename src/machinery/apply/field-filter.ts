/** Which fields a write through one endpoint can own. */
import { EMPTY_SET, type FieldTree, isMember, recursiveDifference, treeOfFields } from './field-tree.ts';
import { SELF } from './path-element.ts';

export type FieldFilter = (set: FieldTree) => FieldTree;

export const keepAll: FieldFilter = (set) => set;

/** @param fields as field names from the root: `[['status'], ['metadata', 'labels']]`. */
export function withoutFields(fields: readonly (readonly string[])[]): FieldFilter {
  if (fields.length === 0) return keepAll;
  const excluded = treeOfFields(fields);
  return (set) => recursiveDifference(set, excluded);
}

/** @param patterns as field names from the root; `*` stands for any one step. */
export function onlyBelow(patterns: readonly (readonly string[])[]): FieldFilter {
  return (set) => matching(set, patterns);
}

function matching(set: FieldTree, patterns: readonly (readonly string[])[]): FieldTree {
  if (patterns.some((pattern) => pattern.length === 0)) return set;
  const kept: Record<string, FieldTree> = {};
  for (const step in set) {
    const node = set[step];
    if (step === SELF || node === undefined) continue;
    const tails = patterns.filter(([head]) => head === '*' || `f:${head}` === step).map((p) => p.slice(1));
    if (tails.length === 0) continue;
    const below = matching(node, tails);
    const member = isMember(node);
    if (Object.keys(below).some((s) => s !== SELF)) {
      kept[step] = member && below[SELF] === undefined ? { [SELF]: EMPTY_SET, ...below } : below;
    } else if (member) {
      kept[step] = EMPTY_SET;
    }
  }
  return kept;
}
