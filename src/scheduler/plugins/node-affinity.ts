import type { coreV1 } from '#api';
import { normalizeScores, type SchedulerPlugin } from '../framework.ts';

const REJECTION = { reasons: ["node(s) didn't match Pod's node affinity/selector"], unresolvable: true };

type Attributes = Readonly<Record<string, string>>;

function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
}

function matchesRequirement(requirement: coreV1.NodeSelectorRequirement, attributes: Attributes): boolean {
  const actual = attributes[requirement.key];
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
      return actual !== undefined && values.includes(actual);
    case 'NotIn':
      return actual === undefined || !values.includes(actual);
    case 'Exists':
      return actual !== undefined;
    case 'DoesNotExist':
      return actual === undefined;
    case 'Gt':
    case 'Lt': {
      const [left, right] = [integer(actual), integer(values[0])];
      if (left === undefined || right === undefined) return false;
      return requirement.operator === 'Gt' ? left > right : left < right;
    }
    default:
      return false;
  }
}

/** A term with neither expressions nor fields matches nothing. */
function matchesTerm(term: coreV1.NodeSelectorTerm, node: coreV1.Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return (
    expressions.every((requirement) => matchesRequirement(requirement, labels)) &&
    fields.every((requirement) => matchesRequirement(requirement, { 'metadata.name': node.metadata.name }))
  );
}

/** Any of the terms. */
export function matchesNodeSelector(selector: coreV1.NodeSelector, node: coreV1.Node): boolean {
  return selector.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** `spec.nodeSelector` and required node affinity, both. */
export function matchesNode(spec: coreV1.PodSpec, node: coreV1.Node): boolean {
  const labels = node.metadata.labels ?? {};
  if (!Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || matchesNodeSelector(required, node);
}

/**
 * The nodes that required terms name by `metadata.name`, as those of a DaemonSet's pods do. Undefined: some term names
 * none, so any node may do.
 */
function namedNodes(required: coreV1.NodeSelector): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  for (const { matchFields = [] } of required.nodeSelectorTerms) {
    const lists = matchFields.filter(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    const [first, ...others] = lists;
    if (first === undefined) return undefined;
    for (const name of first.values ?? [])
      if (others.every(({ values }) => values?.includes(name) === true)) names.add(name);
  }
  return names;
}

/** nodeSelector and node affinity: required terms filter, preferred ones score. */
export const nodeAffinity: SchedulerPlugin = {
  name: 'NodeAffinity',
  filterFor({ spec }) {
    const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (spec.nodeSelector === undefined && required === undefined) return undefined;
    const named =
      required === undefined || required.nodeSelectorTerms.length === 0 ? undefined : namedNodes(required);
    if (named?.size === 0) return { podRejected: 'pod affinity terms conflict' };
    return {
      check: ({ node }) => (matchesNode(spec, node) ? undefined : REJECTION),
      ...(named === undefined ? {} : { onlyNodes: named }),
    };
  },
  scorerFor({ spec }) {
    const preferred = spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return undefined;
    return {
      weight: 2,
      score: ({ node }) =>
        preferred.reduce(
          (sum, { weight, preference }) => sum + (matchesTerm(preference, node) ? weight : 0),
          0,
        ),
      normalize: (scores) => normalizeScores(scores),
    };
  },
  mayHelp(event, { spec }) {
    if (event.type !== 'node-added' && event.type !== 'node-updated') return false;
    return matchesNode(spec, event.node);
  },
};
