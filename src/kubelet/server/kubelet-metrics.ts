/** What `/metrics` of the node says, in the names that dashboards know. */
import type { Kubelet } from '../kubelet.ts';

export function kubeletMetrics(kubelet: Kubelet): string {
  const pods = kubelet.pods();
  const states = { running: 0, exited: 0, created: 0 };
  for (const { status } of pods) {
    for (const { state } of [
      ...(status?.containerStatuses ?? []),
      ...(status?.initContainerStatuses ?? []),
    ]) {
      if (state?.running !== undefined) states.running++;
      else if (state?.terminated !== undefined) states.exited++;
      else states.created++;
    }
  }
  const containers = Object.entries(states).map(
    ([state, count]) => `kubelet_running_containers{container_state="${state}"} ${count}`,
  );
  return [
    '# HELP kubelet_node_name The node name. The count is always 1.',
    '# TYPE kubelet_node_name gauge',
    `kubelet_node_name{node="${kubelet.nodeName}"} 1`,
    '# HELP kubelet_running_pods Pods that have a running sandbox.',
    '# TYPE kubelet_running_pods gauge',
    `kubelet_running_pods ${pods.filter(({ status }) => status?.phase === 'Running').length}`,
    '# HELP kubelet_running_containers Containers by state.',
    '# TYPE kubelet_running_containers gauge',
    ...containers,
    '',
  ].join('\n');
}
