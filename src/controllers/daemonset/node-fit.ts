/** On which nodes a DaemonSet wants its pods. Pure. */
import type { appsV1, coreV1 } from '#api';
import { labelSelectorMatches } from '#machinery';
import { tolerates } from '../tainteviction/tolerance.ts';

type Node = coreV1.Node;
type Template = coreV1.PodTemplateSpec;
type Toleration = coreV1.Toleration;

const NAME_FIELD = 'metadata.name';

const tolerated = (key: string, effect: 'NoExecute' | 'NoSchedule'): Toleration => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect,
});

/** What a daemon's pod stands: it belongs to the node and shares its fate. */
const DAEMON_TOLERATIONS: readonly Toleration[] = [
  tolerated('not-ready', 'NoExecute'),
  tolerated('unreachable', 'NoExecute'),
  tolerated('disk-pressure', 'NoSchedule'),
  tolerated('memory-pressure', 'NoSchedule'),
  tolerated('pid-pressure', 'NoSchedule'),
  tolerated('unschedulable', 'NoSchedule'),
];
const HOST_NETWORK_TOLERATION = tolerated('network-unavailable', 'NoSchedule');

const isSame = (a: Toleration, b: Toleration): boolean =>
  a.key === b.key &&
  a.effect === b.effect &&
  a.operator === b.operator &&
  (a.value ?? '') === (b.value ?? '');

export function daemonTolerations({ spec }: Template): readonly Toleration[] {
  const given = spec?.tolerations ?? [];
  const own =
    spec?.hostNetwork === true ? [...DAEMON_TOLERATIONS, HOST_NETWORK_TOLERATION] : DAEMON_TOLERATIONS;
  // One that is given with a time limit has none here.
  return [
    ...given.map((toleration) => own.find((candidate) => isSame(candidate, toleration)) ?? toleration),
    ...own.filter((toleration) => !given.some((other) => isSame(other, toleration))),
  ];
}

const OPERATORS = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
  Gt: 'gt',
  Lt: 'lt',
} as const;

function requirementsMatch(
  requirements: readonly coreV1.NodeSelectorRequirement[] | undefined,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return labelSelectorMatches(
    {
      requirements: (requirements ?? []).map(({ key, operator, values }) => ({
        key,
        operator: OPERATORS[operator],
        values: values ?? [],
      })),
    },
    labels,
  );
}

/** An empty term selects nothing. */
function termMatches(
  { matchExpressions, matchFields }: coreV1.NodeSelectorTerm,
  { metadata }: Node,
): boolean {
  const isEmpty = (matchExpressions?.length ?? 0) + (matchFields?.length ?? 0) === 0;
  return (
    !isEmpty &&
    requirementsMatch(matchExpressions, metadata.labels) &&
    requirementsMatch(matchFields, { [NAME_FIELD]: metadata.name })
  );
}

export interface NodeFit {
  /** A pod should be there. */
  readonly shouldRun: boolean;
  /** One that is there may stay. */
  readonly mayStay: boolean;
}

const NO_FIT: NodeFit = { shouldRun: false, mayStay: false };

/** A predicate over nodes, for asking it of many. */
export function nodeFitOf({ spec: { template } }: appsV1.DaemonSet): (node: Node) => NodeFit {
  const { nodeName = '', nodeSelector = {}, affinity } = template.spec ?? {};
  const tolerations = daemonTolerations(template);
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const wantedLabels = Object.entries(nodeSelector);
  return (node) => {
    if (nodeName !== '' && nodeName !== node.metadata.name) return NO_FIT;
    if (wantedLabels.some(([key, value]) => node.metadata.labels?.[key] !== value)) return NO_FIT;
    if (terms !== undefined && !terms.some((term) => termMatches(term, node))) return NO_FIT;
    const repelling = (node.spec.taints ?? []).filter(
      (taint) =>
        taint.effect !== 'PreferNoSchedule' &&
        !tolerations.some((toleration) => tolerates(toleration, taint)),
    );
    return {
      shouldRun: repelling.length === 0,
      mayStay: repelling.every(({ effect }) => effect !== 'NoExecute'),
    };
  };
}

/** Only this node will do; the rest of the affinity stays. */
export function pinnedTo(affinity: coreV1.Affinity | undefined, nodeName: string): coreV1.Affinity {
  const term = { matchFields: [{ key: NAME_FIELD, operator: 'In', values: [nodeName] }] } as const;
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
    },
  };
}

/** The node a pod runs on, or is meant for. */
export function targetNode({ spec }: coreV1.Pod): string | undefined {
  if (spec.nodeName !== undefined && spec.nodeName !== '') return spec.nodeName;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  for (const { matchFields = [] } of required?.nodeSelectorTerms ?? [])
    for (const { key, operator, values = [] } of matchFields)
      if (key === NAME_FIELD && operator === 'In' && values.length === 1) return values[0];
  return undefined;
}
