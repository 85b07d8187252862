/**
 * Makes room for a pod that fits nowhere by evicting less important ones from a single node: as few and as unimportant
 * as possible, and within disruption budgets where that can be had.
 * Source: https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/#preemption
 */
import type { coreV1, policyV1 } from '#api';
import { compileLabelSelector } from '#machinery';
import type { Clock, Random } from '#platform';
import type { ClusterView } from '../cluster-view.ts';
import type { FailedCycle, PostFilterResult, SchedulerPlugin } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import { isTerminating, priorityOf } from '../pod-state.ts';
import { explain, ReasonCounts } from '../reason-counts.ts';
import { WhatIf } from '../what-if.ts';

/** So many nodes are tried at least, or this share of them: the best of those is good enough. */
const MIN_CANDIDATES = 100;
const CANDIDATE_PERCENTAGE = 10;

const NO_VICTIMS = { reasons: ['No preemption victims found for incoming pod'], unresolvable: true };
const UNHELPFUL = 'Preemption is not helpful for scheduling';

export interface DefaultPreemptionOptions {
  readonly view: Pick<ClusterView, 'disruptionBudgets'>;
  readonly clock: Clock;
  readonly random: Random;
}

interface Candidate {
  readonly node: NodeInfo;
  /** The most important first. */
  readonly victims: readonly coreV1.Pod[];
  readonly violations: number;
}

interface Budget {
  readonly budget: policyV1.PodDisruptionBudget;
  readonly matches: (pod: coreV1.Pod) => boolean;
}

const refused = (message: string, nominatedNode?: string): PostFilterResult => ({
  message: `preemption: ${message}`,
  ...(nominatedNode === undefined ? {} : { nominatedNode }),
});

export function defaultPreemption(options: DefaultPreemptionOptions): SchedulerPlugin {
  return { name: 'DefaultPreemption', postFilter: (failed) => new Preemption(options, failed).run() };
}

class Preemption {
  readonly #options: DefaultPreemptionOptions;
  readonly #failed: FailedCycle;

  constructor(options: DefaultPreemptionOptions, failed: FailedCycle) {
    this.#options = options;
    this.#failed = failed;
  }

  run(): PostFilterResult {
    const { pod, snapshot } = this.#failed;
    if (pod.spec.preemptionPolicy === 'Never') return refused('not eligible due to preemptionPolicy=Never.');
    if (this.#waitsForVictims())
      return refused('not eligible due to a terminating pod on the nominated node.');
    const reasons = new ReasonCounts();
    const candidates = this.#candidates(reasons);
    const best = this.#best(candidates);
    if (best !== undefined) return { nominatedNode: best.node.name, victims: best.victims };
    return refused(explain(snapshot.nodes.length, reasons), '');
  }

  /** Earlier victims are on their way out, and the node will do once they are gone. */
  #waitsForVictims(): boolean {
    const { pod, snapshot, nominations, resolvable } = this.#failed;
    const node = snapshot.get(nominations.nodeOf(pod.metadata.uid) ?? '');
    if (node === undefined || !resolvable.includes(node)) return false;
    for (const { pod: other } of node.pods)
      if (priorityOf(other) < priorityOf(pod) && isBeingPreempted(other)) return true;
    return false;
  }

  #candidates(reasons: ReasonCounts): readonly Candidate[] {
    const { snapshot, resolvable } = this.#failed;
    const budgets = this.#options.view.disruptionBudgets().map(compileBudget);
    const enough = Math.min(
      resolvable.length,
      Math.max(MIN_CANDIDATES, Math.floor((resolvable.length * CANDIDATE_PERCENTAGE) / 100)),
    );
    const start = Math.floor(this.#options.random.next() * resolvable.length);
    const candidates: Candidate[] = [];
    let harmless = false;
    for (let i = 0; i < resolvable.length && !(harmless && candidates.length >= enough); i++) {
      const node = resolvable[(start + i) % resolvable.length];
      if (node === undefined) break;
      const found = this.#tryNode(node, budgets);
      if ('reasons' in found) reasons.add(found.reasons);
      else {
        candidates.push(found);
        harmless ||= found.violations === 0;
      }
    }
    reasons.add([UNHELPFUL], snapshot.nodes.length - resolvable.length);
    return candidates;
  }

  /** Takes all less important pods away, then lets back in whom it can, the most important first. */
  #tryNode(node: NodeInfo, budgets: readonly Budget[]): Candidate | { readonly reasons: readonly string[] } {
    const { pod, filters } = this.#failed;
    const lesser = [...node.pods]
      .map((placed) => placed.pod)
      .filter((other) => priorityOf(other) < priorityOf(pod));
    if (lesser.length === 0) return NO_VICTIMS;
    const whatIf = new WhatIf(node, filters);
    try {
      for (const other of lesser) whatIf.remove(other);
      const rejection = this.#rejection(whatIf);
      if (rejection !== undefined) return rejection;
      lesser.sort((a, b) => this.#byImportance(a, b));
      const { violating, harmless } = splitByBudget(lesser, budgets);
      const victims: coreV1.Pod[] = [];
      const reprieve = (other: coreV1.Pod): boolean => {
        whatIf.add(other);
        if (this.#rejection(whatIf) === undefined) return true;
        whatIf.remove(other);
        victims.push(other);
        return false;
      };
      const violations = violating.filter((other) => !reprieve(other)).length;
      for (const other of harmless) reprieve(other);
      victims.sort((a, b) => this.#byImportance(a, b));
      return victims.length === 0 ? NO_VICTIMS : { node, victims, violations };
    } finally {
      whatIf.undo();
    }
  }

  /** Also beside those the node is promised to. */
  #rejection(whatIf: WhatIf): ReturnType<WhatIf['rejection']> {
    const ahead = this.#failed.nominations.ahead(whatIf.node.name, this.#failed.pod);
    if (ahead.length > 0) {
      for (const other of ahead) whatIf.add(other);
      const rejection = whatIf.rejection();
      for (const other of ahead) whatIf.remove(other);
      if (rejection !== undefined) return rejection;
    }
    return whatIf.rejection();
  }

  #startOf(pod: coreV1.Pod): number {
    const { startTime } = pod.status;
    return startTime === undefined ? this.#options.clock.now() : Date.parse(startTime);
  }

  /** Higher priority first, then whoever has run longer. */
  #byImportance(a: coreV1.Pod, b: coreV1.Pod): number {
    return priorityOf(b) - priorityOf(a) || this.#startOf(a) - this.#startOf(b);
  }

  #best(candidates: readonly Candidate[]): Candidate | undefined {
    const highest = ({ victims }: Candidate): number => Math.max(...victims.map(priorityOf));
    // Shifted so that a few pods of negative priority do not look better than one of them.
    const sum = ({ victims }: Candidate): number =>
      victims.reduce((total, victim) => total + priorityOf(victim) + 2 ** 31, 0);
    const earliestStart = (candidate: Candidate): number => {
      const top = highest(candidate);
      const starts = candidate.victims
        .filter((pod) => priorityOf(pod) === top)
        .map((pod) => this.#startOf(pod));
      return Math.min(...starts);
    };
    const costs: readonly ((candidate: Candidate) => number)[] = [
      ({ violations }) => violations,
      highest,
      sum,
      ({ victims }) => victims.length,
      (candidate) => -earliestStart(candidate),
    ];
    let left = candidates;
    for (const cost of costs) {
      if (left.length <= 1) break;
      const priced = left.map((candidate) => ({ candidate, cost: cost(candidate) }));
      const least = Math.min(...priced.map((one) => one.cost));
      left = priced.filter((one) => one.cost === least).map(({ candidate }) => candidate);
    }
    return left[0];
  }
}

function isBeingPreempted(pod: coreV1.Pod): boolean {
  const target = pod.status.conditions?.find(({ type }) => type === 'DisruptionTarget');
  return isTerminating(pod) && target?.status === 'True' && target.reason === 'PreemptionByScheduler';
}

function compileBudget(budget: policyV1.PodDisruptionBudget): Budget {
  const { selector } = budget.spec;
  const selects = compileLabelSelector(selector);
  const selectsNobody =
    Object.keys(selector?.matchLabels ?? {}).length === 0 && (selector?.matchExpressions ?? []).length === 0;
  return {
    budget,
    matches: ({ metadata }) =>
      !selectsNobody &&
      metadata.namespace === budget.metadata.namespace &&
      Object.keys(metadata.labels ?? {}).length > 0 &&
      selects(metadata.labels),
  };
}

/** Those whose eviction would break a budget, given that all before them in the list go too. Keeps the order. */
function splitByBudget(
  pods: readonly coreV1.Pod[],
  budgets: readonly Budget[],
): { readonly violating: readonly coreV1.Pod[]; readonly harmless: readonly coreV1.Pod[] } {
  const left = budgets.map(({ budget }) => budget.status.disruptionsAllowed);
  const violating: coreV1.Pod[] = [];
  const harmless: coreV1.Pod[] = [];
  for (const pod of pods) {
    let violates = false;
    for (const [i, { budget, matches }] of budgets.entries()) {
      // Those already counted as disrupted cost nothing more.
      if (!matches(pod) || budget.status.disruptedPods?.[pod.metadata.name] !== undefined) continue;
      const remaining = (left[i] ?? 0) - 1;
      left[i] = remaining;
      if (remaining < 0) violates = true;
    }
    (violates ? violating : harmless).push(pod);
  }
  return { violating, harmless };
}
