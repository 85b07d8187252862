/** Narrowing where a pod may run while scheduling gates hold it back. */
import { deepEqual, type FieldPath, invalid } from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { type Errors, sortedMap } from '../../field-rules.ts';

type Selector = Readonly<Record<string, string>>;

export function checkNodeSelectorAdditions(
  next: Selector | undefined,
  old: Selector = {},
  at: FieldPath,
  errors: Errors,
): void {
  if (Object.entries(old).every(([key, value]) => next?.[key] === value)) return;
  const why = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)';
  errors.push(invalid(at, sortedMap(next), why));
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';

export function checkNodeAffinityAdditions(
  next: coreV1.NodeAffinity | undefined,
  old: coreV1.NodeAffinity | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  const oldTerms = old?.[REQUIRED]?.nodeSelectorTerms;
  if (oldTerms === undefined || oldTerms === null || deepEqual(next, old)) return;
  const path = at.child(REQUIRED, 'nodeSelectorTerms');
  const newTerms = next?.[REQUIRED]?.nodeSelectorTerms ?? [];
  if (oldTerms.length > 0 && oldTerms.length !== newTerms.length) {
    const why = 'no additions/deletions to non-empty NodeSelectorTerms list are allowed';
    errors.push(invalid(path, newTerms.length === 0 ? null : newTerms.map(internalTerm), why));
    return;
  }
  for (const [i, oldTerm] of oldTerms.entries()) {
    const term = newTerms[i] ?? {};
    if (hasOnlyAdditions(term, oldTerm)) continue;
    const why = 'only additions are allowed (no mutations or deletions)';
    errors.push(invalid(path.index(i), internalTerm(term), why));
  }
}

/** As upstream's internal type prints it. */
function internalTerm({ matchExpressions, matchFields }: coreV1.NodeSelectorTerm): object {
  const print = (list: readonly coreV1.NodeSelectorRequirement[] | undefined): object | null =>
    list?.map(({ key, operator, values }) => ({ Key: key, Operator: operator, Values: values ?? null })) ??
    null;
  return { MatchExpressions: print(matchExpressions), MatchFields: print(matchFields) };
}

function hasOnlyAdditions(next: coreV1.NodeSelectorTerm, old: coreV1.NodeSelectorTerm): boolean {
  const lists = ['matchExpressions', 'matchFields'] as const;
  const isEmpty = (term: coreV1.NodeSelectorTerm): boolean =>
    lists.every((field) => (term[field] ?? []).length === 0);
  // A term without requirements matches nothing; with some it would match something.
  if (isEmpty(old)) return isEmpty(next);
  return lists.every((field) => {
    const before = old[field] ?? [];
    return deepEqual((next[field] ?? []).slice(0, before.length), before);
  });
}
