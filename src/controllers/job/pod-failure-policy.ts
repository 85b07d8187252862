import type { batchV1, coreV1 } from '#api';

type Pod = coreV1.Pod;

export interface FailureVerdict {
  readonly action?: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count';
  /** Whether the failure uses up some of the backoff limit. */
  readonly counts: boolean;
  /** Why the whole job has to fail. */
  readonly jobFailure?: string;
}

/** KEP-3329: the first rule that fits a failed pod decides; without one its failure counts. */
export function judgeFailure(policy: batchV1.PodFailurePolicy | undefined, pod: Pod): FailureVerdict {
  for (const [index, rule] of (policy?.rules ?? []).entries()) {
    const cause = causeOf(rule, pod);
    if (cause === undefined) continue;
    const { action } = rule;
    switch (action) {
      case 'Ignore':
        return { action, counts: false };
      case 'FailIndex':
      case 'Count':
        return { action, counts: true };
      case 'FailJob':
        return {
          action,
          counts: true,
          jobFailure: `${cause} matching ${action} rule at index ${index}`,
        };
      default:
        action satisfies never;
    }
  }
  return { counts: true };
}

/** What about the pod fits the rule, in words. */
function causeOf(
  { onExitCodes, onPodConditions }: batchV1.PodFailurePolicyRule,
  pod: Pod,
): string | undefined {
  const { namespace = '', name } = pod.metadata;
  if (onExitCodes !== undefined) {
    const { containerStatuses = [], initContainerStatuses = [] } = pod.status;
    const container = [...containerStatuses, ...initContainerStatuses].find((status) =>
      exitCodeFits(onExitCodes, status),
    );
    if (container === undefined) return undefined;
    const code = container.state?.terminated?.exitCode ?? 0;
    return `Container ${container.name} for pod ${namespace}/${name} failed with exit code ${code}`;
  }
  const condition = pod.status.conditions?.find(({ type, status }) =>
    onPodConditions?.some((pattern) => pattern.type === type && pattern.status === status),
  );
  return condition === undefined ? undefined : `Pod ${namespace}/${name} has condition ${condition.type}`;
}

function exitCodeFits(
  { containerName, operator, values }: batchV1.PodFailurePolicyOnExitCodesRequirement,
  { name, state }: coreV1.ContainerStatus,
): boolean {
  const code = state?.terminated?.exitCode;
  if (code === undefined || code === 0) return false;
  if (containerName !== undefined && containerName !== name) return false;
  return values.includes(code) === (operator === 'In');
}
