/** Who is started again after it ended: the pod's policy, the container's own policy and its rules (KEP-5307). */
import { type Container, isSidecar, type Pod } from '../pods/pod-spec.ts';
import { latestContainer, type RuntimePod } from '../pods/runtime-pod.ts';

/** Whether a container that ended with `exitCode` runs again. */
export function restartsAfterExit(container: Container, pod: Pod, exitCode: number): boolean {
  if (container.restartPolicy !== undefined) {
    if (matchesRestartRule(container, exitCode)) return true;
    return policyRestarts(container.restartPolicy, exitCode);
  }
  return policyRestarts(pod.spec.restartPolicy ?? 'Always', exitCode);
}

function policyRestarts(policy: string, exitCode: number): boolean {
  if (policy === 'Never') return false;
  return policy === 'OnFailure' ? exitCode !== 0 : true;
}

function matchesRestartRule(container: Container, exitCode: number): boolean {
  return (container.restartPolicyRules ?? []).some((rule) => {
    if (rule.action !== 'Restart' || rule.exitCodes === undefined) return false;
    const listed = rule.exitCodes.values?.includes(exitCode) ?? false;
    return rule.exitCodes.operator === 'In' ? listed : !listed;
  });
}

/** Whether a failed container may be tried again at all: the policy alone, without an exit code. */
export const restartsOnFailure = (pod: Pod): boolean => pod.spec.restartPolicy !== 'Never';

/** Same for one container: its own policy wins over the pod's. */
export const containerRestartsOnFailure = (container: Container, pod: Pod): boolean =>
  container.restartPolicy === undefined ? restartsOnFailure(pod) : container.restartPolicy !== 'Never';

/** Whether the container should be (re)started now, judged by its newest incarnation. */
export function shouldBeStarted(container: Container, pod: Pod, runtime: RuntimePod): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  const latest = latestContainer(runtime, container.name);
  if (latest === undefined) return true;
  if (latest.state === 'running') return false;
  if (latest.state !== 'exited') return true;
  return restartsAfterExit(container, pod, latest.exitCode);
}

/** Whether any init container keeps running beside the regular ones. */
export const hasSidecars = (pod: Pod): boolean => (pod.spec.initContainers ?? []).some(isSidecar);
