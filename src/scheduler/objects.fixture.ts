/** Nodes and pods for tests, with only what matters spelled out. */
import type { coreV1 } from '#api';
import { SchedulerCache } from './cache.ts';
import type { NodeFilter, SchedulerPlugin, Snapshot } from './framework.ts';
import type { NodeInfo } from './node-info.ts';

type Quantities = Readonly<Record<string, string>>;

export interface NodeShape {
  readonly labels?: Readonly<Record<string, string>>;
  readonly allocatable?: Quantities;
  readonly taints?: readonly coreV1.Taint[];
  readonly unschedulable?: boolean;
  readonly images?: readonly coreV1.ContainerImage[];
}

export function node(name: string, shape: NodeShape = {}): coreV1.Node {
  const { labels = {}, allocatable, taints, unschedulable, images } = shape;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: name,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { 'kubernetes.io/hostname': name, ...labels },
    },
    spec: {
      ...(taints === undefined ? {} : { taints }),
      ...(unschedulable === undefined ? {} : { unschedulable }),
    },
    status: {
      allocatable: { cpu: '4', memory: '8Gi', pods: '110', ...allocatable },
      ...(images === undefined ? {} : { images }),
    },
  };
}

export interface PodShape {
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Of its single container. */
  readonly requests?: Quantities;
  readonly on?: string;
  readonly priority?: number;
  readonly startTime?: string;
  readonly deleting?: boolean;
  readonly spec?: Partial<coreV1.PodSpec>;
  readonly status?: coreV1.PodStatus;
}

export function pod(name: string, shape: PodShape = {}): coreV1.Pod {
  const { namespace = 'default', labels, requests, on, priority, startTime, deleting, spec, status } = shape;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: name,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      generation: 1,
      ...(labels === undefined ? {} : { labels }),
      ...(deleting === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: {
      schedulerName: 'default-scheduler',
      containers: [
        { name: 'c', image: 'web', ...(requests === undefined ? {} : { resources: { requests } }) },
      ],
      ...(on === undefined ? {} : { nodeName: on }),
      ...(priority === undefined ? {} : { priority }),
      ...spec,
    },
    status: { phase: 'Pending', ...(startTime === undefined ? {} : { startTime }), ...status },
  };
}

/** A cluster as the scheduler sees it. */
export function cacheOf(nodes: readonly coreV1.Node[], pods: readonly coreV1.Pod[] = []): SchedulerCache {
  const cache = new SchedulerCache();
  for (const one of nodes) cache.setNode(one);
  for (const one of pods) cache.setPod(one);
  return cache;
}

export function filterOf(plugin: SchedulerPlugin, incoming: coreV1.Pod, snapshot: Snapshot): NodeFilter {
  const filter = plugin.filterFor?.(incoming, snapshot);
  if (filter === undefined) return { check: () => undefined };
  if ('podRejected' in filter) throw new Error(filter.podRejected);
  return filter;
}

/** Node → reasons; nodes where the pod fits are left out. */
export function rejections(
  plugin: SchedulerPlugin,
  incoming: coreV1.Pod,
  snapshot: Snapshot,
): Readonly<Record<string, string>> {
  const filter = filterOf(plugin, incoming, snapshot);
  return Object.fromEntries(
    snapshot.nodes.flatMap((one) => {
      const rejection = filter.check(one);
      return rejection === undefined ? [] : [[one.name, rejection.reasons.join(', ')]];
    }),
  );
}

/** Node → score, unweighted, 0 … 100; undefined when the plugin has no opinion. */
export function scores(
  plugin: SchedulerPlugin,
  incoming: coreV1.Pod,
  snapshot: Snapshot,
): Readonly<Record<string, number>> | undefined {
  const nodes: readonly NodeInfo[] = snapshot.nodes;
  const scorer = plugin.scorerFor?.(incoming, nodes, snapshot);
  if (scorer === undefined) return undefined;
  const raw = nodes.map((one) => scorer.score(one));
  const final = scorer.normalize?.(raw) ?? raw;
  return Object.fromEntries(nodes.map((one, i) => [one.name, final[i] ?? 0]));
}
