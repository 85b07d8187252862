/** How far the deletion of a namespace has come, in the five conditions that people look at. Pure. */
import type { coreV1 } from '#api';

export interface DeletionProgress {
  readonly errors: readonly string[];
  /** Objects left per resource, as `pods.` or `deployments.apps`. */
  readonly remaining: ReadonlyMap<string, number>;
  /** Objects left per finalizer that holds them. */
  readonly finalizers: ReadonlyMap<string, number>;
}

interface Verdict {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

const fine = (type: string, reason: string, message: string): Verdict => ({
  type,
  status: 'False',
  reason,
  message,
});
const problem = (type: string, reason: string, message: string): Verdict => ({
  type,
  status: 'True',
  reason,
  message,
});

function listed(counts: ReadonlyMap<string, number>, words: (name: string, count: number) => string): string {
  return [...counts]
    .map(([name, count]) => words(name, count))
    .sort()
    .join(', ');
}

function verdicts({ errors, remaining, finalizers }: DeletionProgress): readonly Verdict[] {
  const left = listed(remaining, (name, count) => `${name} has ${count} resource instances`);
  const held = listed(finalizers, (name, count) => `${name} in ${count} resource instances`);
  const failures = errors.toSorted().join(', ');
  return [
    fine('NamespaceDeletionDiscoveryFailure', 'ResourcesDiscovered', 'All resources successfully discovered'),
    fine(
      'NamespaceDeletionGroupVersionParsingFailure',
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ),
    errors.length === 0
      ? fine(
          'NamespaceDeletionContentFailure',
          'ContentDeleted',
          'All content successfully deleted, may be waiting on finalization',
        )
      : problem(
          'NamespaceDeletionContentFailure',
          'ContentDeletionFailed',
          `Failed to delete all resource types, ${errors.length} remaining: ${failures}`,
        ),
    remaining.size === 0
      ? fine('NamespaceContentRemaining', 'ContentRemoved', 'All content successfully removed')
      : problem('NamespaceContentRemaining', 'SomeResourcesRemain', `Some resources are remaining: ${left}`),
    finalizers.size === 0
      ? fine(
          'NamespaceFinalizersRemaining',
          'ContentHasNoFinalizers',
          'All content-preserving finalizers finished',
        )
      : problem(
          'NamespaceFinalizersRemaining',
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${held}`,
        ),
  ];
}

/** The same reference when nothing changed. */
export function deletionConditions(
  current: readonly coreV1.NamespaceCondition[],
  progress: DeletionProgress,
  now: string,
): readonly coreV1.NamespaceCondition[] {
  let changed = false;
  const next = [...current];
  for (const verdict of verdicts(progress)) {
    const at = next.findIndex(({ type }) => type === verdict.type);
    const old = next[at];
    if (old === undefined) {
      next.push({ ...verdict, lastTransitionTime: now });
    } else if (
      old.status !== verdict.status ||
      old.reason !== verdict.reason ||
      old.message !== verdict.message
    ) {
      const lastTransitionTime = old.status === verdict.status ? old.lastTransitionTime : now;
      next[at] = { ...verdict, lastTransitionTime };
    } else continue;
    changed = true;
  }
  return changed ? next : current;
}
