/**
 * What to do next for a pod: compares the spec with what runs and says which containers to kill and to start.
 * Pure, so that every rule is a row of a table test. Upstream's place for the same: `computePodActions` in
 * `pkg/kubelet/kuberuntime`.
 */
import { type Container, isSidecar, type Pod } from '../pods/pod-spec.ts';
import { latestContainer, type RuntimeContainer, type RuntimePod, sandboxNeed } from '../pods/runtime-pod.ts';
import { containerHash } from './container-hash.ts';
import { containerRestartsOnFailure, restartsOnFailure, shouldBeStarted } from './restart-policy.ts';

export type ProbeOutcome = 'success' | 'failure' | 'unknown';

/** Latest probe results by container id; undefined: not probed (yet). */
export interface ProbeResults {
  liveness(containerId: string): ProbeOutcome | undefined;
  startup(containerId: string): ProbeOutcome | undefined;
}

export type KillReason = 'startup-probe' | 'liveness-probe' | 'other';

export interface ContainerKill {
  readonly container: Container;
  readonly id: string;
  /** For the `Killing` event. */
  readonly message: string;
  readonly reason: KillReason;
}

export interface PodActions {
  /** Stop everything that runs, the sandbox included. */
  readonly killPod: boolean;
  readonly createSandbox: boolean;
  readonly sandboxId: string;
  readonly attempt: number;
  readonly kill: readonly ContainerKill[];
  /** In the order of the spec. */
  readonly startEphemeral: readonly Container[];
  readonly startInit: readonly Container[];
  readonly start: readonly Container[];
}

interface Draft {
  killPod: boolean;
  createSandbox: boolean;
  sandboxId: string;
  attempt: number;
  kill: Map<string, ContainerKill>;
  startEphemeral: Container[];
  startInit: Container[];
  start: Container[];
}

const seal = (draft: Draft): PodActions => ({ ...draft, kill: [...draft.kill.values()] });

export function computePodActions(pod: Pod, runtime: RuntimePod, probes: ProbeResults): PodActions {
  const need = sandboxNeed(runtime);
  const draft: Draft = {
    killPod: need.create,
    createSandbox: need.create,
    sandboxId: need.sandboxId,
    attempt: need.attempt,
    kill: new Map(),
    startEphemeral: [],
    startInit: [],
    start: [],
  };
  if (need.create) return seal(planFreshSandbox(pod, runtime, draft));

  for (const ephemeral of pod.spec.ephemeralContainers ?? []) {
    if (latestContainer(runtime, ephemeral.name) === undefined) draft.startEphemeral.push(ephemeral);
  }
  const initialized = planInitContainers(pod, runtime, probes, draft);
  if (!draft.killPod && initialized) planRegularContainers(pod, runtime, probes, draft);
  return seal(draft);
}

/** Everything starts over, except what has already done its work. */
function planFreshSandbox(pod: Pod, runtime: RuntimePod, draft: Draft): Draft {
  if (!restartsOnFailure(pod) && draft.attempt !== 0 && runtime.containers.length !== 0) {
    // The pod is over: a new sandbox would only confuse.
    draft.createSandbox = false;
    return draft;
  }
  const toStart = pod.spec.containers.filter((container) => {
    const policy = container.restartPolicy ?? pod.spec.restartPolicy;
    return !(policy === 'OnFailure' && hasSucceeded(container, runtime));
  });
  if (toStart.length === 0 && anyRegularCreated(pod, runtime)) {
    draft.createSandbox = false;
    return draft;
  }
  const first = pod.spec.initContainers?.[0];
  if (first === undefined) draft.start = toStart;
  else draft.startInit = [first];
  return draft;
}

function hasSucceeded(container: Container, runtime: RuntimePod): boolean {
  const latest = latestContainer(runtime, container.name);
  return latest !== undefined && latest.state !== 'running' && latest.exitCode === 0;
}

/** A regular container exists, so all init containers have done their work once. */
export function anyRegularCreated(pod: Pod, runtime: RuntimePod): boolean {
  return pod.spec.containers.some((container) => {
    const state = latestContainer(runtime, container.name)?.state;
    return state !== undefined && state !== 'unknown';
  });
}

const initFailed = (container: RuntimeContainer): boolean =>
  container.reason === 'OOMKilled' ||
  container.state === 'unknown' ||
  (container.state === 'exited' && container.exitCode !== 0);

/**
 * Walks the init containers from last to first, because finished ones may be gone from the runtime: the last one
 * that left a trace tells how far initialization came. Returns whether the regular containers may run.
 *
 * Example: init containers a (plain), s (sidecar), b (plain); s runs and is started, nothing of b exists:
 * b is skipped (no trace), s is the last trace, so b is next.
 */
function planInitContainers(pod: Pod, runtime: RuntimePod, probes: ProbeResults, draft: Draft): boolean {
  const init = pod.spec.initContainers ?? [];
  if (init.length === 0) return true;
  const before = pod.spec.containers.some((container) => {
    const state = latestContainer(runtime, container.name)?.state;
    return state === 'created' || state === 'running';
  });
  let initialized = before;
  let traceSeen = before;
  for (let i = init.length - 1; i >= 0; i--) {
    const container = init[i] as Container;
    const latest = latestContainer(runtime, container.name);
    if (latest === undefined) {
      if (traceSeen && isSidecar(container)) draft.startInit.push(container);
      continue;
    }
    if (traceSeen && !isSidecar(container)) continue;
    const next = init[i + 1];
    const done = planInitContainer({ pod, runtime, container, latest, next, traceSeen, probes }, draft);
    if (done === 'pod-failed') return false;
    if (done === 'initialized' && next === undefined) initialized = true;
    traceSeen = true;
  }
  if (!traceSeen && init[0] !== undefined) draft.startInit.push(init[0]);
  draft.startInit.reverse();
  return initialized;
}

interface InitStep {
  readonly pod: Pod;
  readonly runtime: RuntimePod;
  readonly container: Container;
  readonly latest: RuntimeContainer;
  readonly next: Container | undefined;
  /** A later container was seen: this one has let the pod pass before. */
  readonly traceSeen: boolean;
  readonly probes: ProbeResults;
}

function planInitContainer(step: InitStep, draft: Draft): 'initialized' | 'pending' | 'pod-failed' {
  const { pod, runtime, container, latest, next, traceSeen } = step;
  switch (latest.state) {
    case 'created':
      // Creating and starting is one step; what stayed created failed to start.
      draft.startInit.push(container);
      return 'pending';
    case 'running':
      return isSidecar(container) ? planRunningSidecar(step, draft) : 'pending';
    case 'exited': {
      if (isSidecar(container)) {
        draft.startInit.push(container);
        return 'pending';
      }
      if (!initFailed(latest)) {
        if (next !== undefined && !traceSeen) draft.startInit.push(next);
        return 'initialized';
      }
      if (!shouldBeStarted(container, pod, runtime)) return failPod(draft);
      draft.startInit.push(container);
      return 'pending';
    }
    case 'unknown': {
      if (!isSidecar(container) && !containerRestartsOnFailure(container, pod)) return failPod(draft);
      kill(
        draft,
        container,
        latest,
        'Init container is in "unknown" state, try killing it before restart',
        'other',
      );
      draft.startInit.push(container);
      return 'pending';
    }
    default:
      return latest.state satisfies never;
  }
}

function failPod(draft: Draft): 'pod-failed' {
  draft.killPod = true;
  draft.startInit = [];
  return 'pod-failed';
}

function planRunningSidecar(step: InitStep, draft: Draft): 'initialized' | 'pending' {
  const { container, latest, next, traceSeen, probes } = step;
  if (container.startupProbe !== undefined) {
    const startup = probes.startup(latest.id);
    if (startup === 'failure') {
      kill(
        draft,
        container,
        latest,
        `Init container ${container.name} failed startup probe`,
        'startup-probe',
      );
      draft.startInit.push(container);
    }
    if (startup !== 'success') return 'pending';
  }
  if (next !== undefined && !traceSeen) draft.startInit.push(next);
  if (latest.hash !== '' && latest.hash !== containerHash(container)) {
    kill(draft, container, latest, `Init container ${container.name} definition changed`, 'other');
    draft.startInit.push(container);
  } else if (container.livenessProbe !== undefined && probes.liveness(latest.id) === 'failure') {
    kill(
      draft,
      container,
      latest,
      `Init container ${container.name} failed liveness probe`,
      'liveness-probe',
    );
    draft.startInit.push(container);
  }
  return 'initialized';
}

function planRegularContainers(pod: Pod, runtime: RuntimePod, probes: ProbeResults, draft: Draft): void {
  let kept = 0;
  for (const container of pod.spec.containers) {
    const latest = latestContainer(runtime, container.name);
    if (latest === undefined || latest.state !== 'running') {
      if (!shouldBeStarted(container, pod, runtime)) continue;
      draft.start.push(container);
      // It may be running after all: never have two of it.
      if (latest?.state === 'unknown') {
        kill(
          draft,
          container,
          latest,
          'Container is in "unknown" state, try killing it before restart',
          'other',
        );
      }
      continue;
    }
    const why = whyKill(container, latest, probes);
    if (why === undefined) {
      kept++;
      continue;
    }
    const again = why.always || containerRestartsOnFailure(container, pod);
    if (again) draft.start.push(container);
    kill(draft, container, latest, again ? `${why.message}, will be restarted` : why.message, why.reason);
  }
  if (kept === 0 && draft.start.length === 0) {
    draft.killPod = true;
    // Sidecars alone do not keep a pod alive.
    draft.startInit = [];
  }
}

interface WhyKill {
  readonly message: string;
  readonly reason: KillReason;
  /** Restart whatever the policy says. */
  readonly always: boolean;
}

function whyKill(container: Container, latest: RuntimeContainer, probes: ProbeResults): WhyKill | undefined {
  if (latest.hash !== '' && latest.hash !== containerHash(container)) {
    return { message: `Container ${container.name} definition changed`, reason: 'other', always: true };
  }
  if (probes.liveness(latest.id) === 'failure') {
    return {
      message: `Container ${container.name} failed liveness probe`,
      reason: 'liveness-probe',
      always: false,
    };
  }
  if (probes.startup(latest.id) === 'failure') {
    return {
      message: `Container ${container.name} failed startup probe`,
      reason: 'startup-probe',
      always: false,
    };
  }
  return undefined;
}

function kill(
  draft: Draft,
  container: Container,
  latest: RuntimeContainer,
  message: string,
  reason: KillReason,
): void {
  draft.kill.set(latest.id, { container, id: latest.id, message, reason });
}
