/** What the node's containers use, as `/stats/summary` and `/metrics/resource` tell it. */
import type { ContainerStats, RuntimeService } from '#cri';
import { formatTime, type WallTimeMs } from '#platform';
import { POD_NAME_LABEL, POD_NAMESPACE_LABEL, POD_UID_LABEL } from '../containers/labels.ts';

interface PodStats {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly startTime: string;
  readonly containers: ContainerStats[];
}

export interface NodeUsage {
  readonly pods: readonly PodStats[];
}

export async function nodeUsage(runtime: RuntimeService): Promise<NodeUsage> {
  const [sandboxes, stats] = await Promise.all([runtime.listPodSandboxes(), runtime.listContainerStats()]);
  const pods = new Map<string, PodStats>();
  for (const { id, labels, createdAt } of sandboxes) {
    pods.set(id, {
      name: labels[POD_NAME_LABEL] ?? '',
      namespace: labels[POD_NAMESPACE_LABEL] ?? '',
      uid: labels[POD_UID_LABEL] ?? '',
      startTime: formatTime(Number(createdAt / 1_000_000n)),
      containers: [],
    });
  }
  for (const one of stats) pods.get(one.podSandboxId)?.containers.push(one);
  return { pods: [...pods.values()].filter(({ containers }) => containers.length > 0) };
}

/** The body of `/stats/summary` (`k8s.io/kubelet/pkg/apis/stats/v1alpha1`), as far as the runtime knows. */
export function statsSummary(nodeName: string, usage: NodeUsage, now: WallTimeMs): object {
  const time = formatTime(now);
  const sum = (stats: readonly ContainerStats[]): object => ({
    cpu: { time, usageCoreNanoSeconds: total(stats, (one) => Number(one.cpuUsageNanos)) },
    memory: {
      time,
      usageBytes: total(stats, (one) => one.memoryUsageBytes),
      workingSetBytes: total(stats, (one) => one.memoryWorkingSetBytes),
      rssBytes: total(stats, (one) => one.memoryRssBytes),
    },
  });
  return {
    node: { nodeName, ...sum(usage.pods.flatMap(({ containers }) => containers)) },
    pods: usage.pods.map(({ name, namespace, uid, startTime, containers }) => ({
      podRef: { name, namespace, uid },
      startTime,
      containers: containers.map((one) => ({
        name: one.name,
        startTime,
        ...sum([one]),
        rootfs: { time, usedBytes: one.writableLayerBytes },
      })),
      ...sum(containers),
    })),
  };
}

/** The text of `/metrics/resource`, which metrics-server reads. */
export function resourceMetrics(usage: NodeUsage): string {
  const all = usage.pods.flatMap(({ containers }) => containers);
  const cpu = (stats: readonly ContainerStats[]): number =>
    total(stats, (one) => Number(one.cpuUsageNanos)) / 1e9;
  const memory = (stats: readonly ContainerStats[]): number =>
    total(stats, (one) => one.memoryWorkingSetBytes);
  const perPod = (name: string, value: (stats: readonly ContainerStats[]) => number): string[] =>
    usage.pods.map(
      (pod) => `pod_${name}{namespace="${pod.namespace}",pod="${pod.name}"} ${value(pod.containers)}`,
    );
  const perContainer = (name: string, value: (stats: readonly ContainerStats[]) => number): string[] =>
    usage.pods.flatMap((pod) =>
      pod.containers.map(
        (one) =>
          `container_${name}{container="${one.name}",namespace="${pod.namespace}",pod="${pod.name}"} ${value([one])}`,
      ),
    );
  const lines = [
    ...block('node_cpu_usage_seconds_total', 'counter', [`node_cpu_usage_seconds_total ${cpu(all)}`]),
    ...block('node_memory_working_set_bytes', 'gauge', [`node_memory_working_set_bytes ${memory(all)}`]),
    ...block('pod_cpu_usage_seconds_total', 'counter', perPod('cpu_usage_seconds_total', cpu)),
    ...block('pod_memory_working_set_bytes', 'gauge', perPod('memory_working_set_bytes', memory)),
    ...block('container_cpu_usage_seconds_total', 'counter', perContainer('cpu_usage_seconds_total', cpu)),
    ...block('container_memory_working_set_bytes', 'gauge', perContainer('memory_working_set_bytes', memory)),
    ...block('scrape_error', 'gauge', ['scrape_error 0']),
  ];
  return `${lines.join('\n')}\n`;
}

const block = (name: string, type: 'counter' | 'gauge', lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [`# TYPE ${name} ${type}`, ...lines];

const total = (stats: readonly ContainerStats[], value: (one: ContainerStats) => number): number =>
  stats.reduce((sum, one) => sum + value(one), 0);
