import type { batchV1 } from '#api';
import { CompletionIndexes } from './completion-indexes.ts';

/** KEP-3998: why the job counts as successful before all its indexes are; undefined when it does not. */
export function successByPolicy(
  policy: batchV1.SuccessPolicy | undefined,
  succeeded: CompletionIndexes,
  completions: number,
): string | undefined {
  if (succeeded.size === 0) return undefined;
  const index = policy?.rules.findIndex((rule) => isMet(rule, succeeded, completions)) ?? -1;
  return index < 0 ? undefined : `Matched rules at index ${index}`;
}

function isMet(
  { succeededIndexes, succeededCount }: batchV1.SuccessPolicyRule,
  succeeded: CompletionIndexes,
  completions: number,
): boolean {
  if (succeededIndexes === undefined) return succeededCount !== undefined && succeeded.size >= succeededCount;
  const wanted = CompletionIndexes.parse(succeededIndexes, completions);
  if (wanted.size === 0) return false;
  const reached = wanted.common(succeeded);
  return reached === wanted.size || (succeededCount !== undefined && reached >= succeededCount);
}
