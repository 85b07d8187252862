/** What `kubectl get pods` shows. The status is a summary for people: the worst thing that is true of a container. */
import type { coreV1 } from '../../types/index.ts';
import { ageColumn, nameColumn, orNone } from '../columns.ts';
import type { KindColumn } from '../define-kind.ts';
import { humanDuration } from '../human-duration.ts';

interface PodSummary {
  readonly ready: number;
  readonly total: number;
  readonly status: string;
  readonly restarts: number;
  /** Epoch milliseconds of the last restart; 0: none known. */
  readonly lastRestart: number;
}

const isSidecar = (container: coreV1.Container | undefined): boolean => container?.restartPolicy === 'Always';

const hasTrue = (pod: coreV1.Pod, type: string): boolean =>
  pod.status.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true;

class RestartCount {
  count = 0;
  last = 0;

  add(status: coreV1.ContainerStatus): void {
    this.count += status.restartCount;
    const finished = status.lastState?.terminated?.finishedAt;
    if (finished !== undefined && finished !== null) this.last = Math.max(this.last, Date.parse(finished));
  }
}

function terminatedReason(terminated: coreV1.ContainerStateTerminated): string {
  if (terminated.reason !== undefined && terminated.reason !== '') return terminated.reason;
  return (terminated.signal ?? 0) !== 0 ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

interface InitSummary {
  /** Set while initialisation is not finished. */
  readonly reason: string | undefined;
  readonly readySidecars: number;
  readonly restarts: RestartCount;
  readonly sidecarRestarts: RestartCount;
}

function summarizeInit(pod: coreV1.Pod): InitSummary {
  const specs = new Map((pod.spec.initContainers ?? []).map((container) => [container.name, container]));
  const restarts = new RestartCount();
  const sidecarRestarts = new RestartCount();
  let readySidecars = 0;
  for (const [index, status] of (pod.status.initContainerStatuses ?? []).entries()) {
    const sidecar = isSidecar(specs.get(status.name));
    restarts.add(status);
    if (sidecar) sidecarRestarts.add(status);
    const { terminated, waiting } = status.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecar && status.started === true) {
      if (status.ready) readySidecars++;
      continue;
    }
    const waits = waiting?.reason ?? '';
    const detail =
      terminated !== undefined
        ? terminatedReason(terminated)
        : waits !== '' && waits !== 'PodInitializing'
          ? waits
          : `${index}/${specs.size}`;
    return { reason: `Init:${detail}`, readySidecars, restarts, sidecarRestarts };
  }
  return { reason: undefined, readySidecars, restarts, sidecarRestarts };
}

interface RunSummary {
  readonly status: string;
  readonly ready: number;
}

/** From the last container to the first, so that the first one has the last word. */
function summarizeRunning(pod: coreV1.Pod, initial: string, restarts: RestartCount): RunSummary {
  let status = initial;
  let error = '';
  let ready = 0;
  for (const container of (pod.status.containerStatuses ?? []).toReversed()) {
    restarts.add(container);
    const { waiting, terminated, running } = container.state ?? {};
    if (waiting?.reason !== undefined && waiting.reason !== '') {
      status = waiting.reason;
    } else if (terminated !== undefined) {
      status = terminatedReason(terminated);
      if (terminated.exitCode !== 0) error = status;
    } else if (container.ready && running !== undefined) {
      ready++;
    }
  }
  if (status !== 'Completed') return { status, ready };
  if (ready > 0 && hasTrue(pod, 'Ready')) return { status: 'Running', ready };
  if (error !== '') return { status: error, ready };
  return { status: ready > 0 ? 'NotReady' : status, ready };
}

export function summarizePod(pod: coreV1.Pod): PodSummary {
  const phase = pod.status.phase ?? '';
  const gated = pod.status.conditions?.some(
    (c) => c.type === 'PodScheduled' && c.reason === 'SchedulingGated',
  );
  const initial = gated === true ? 'SchedulingGated' : orElse(pod.status.reason, phase);
  const total = pod.spec.containers.length + (pod.spec.initContainers ?? []).filter(isSidecar).length;
  const init = summarizeInit(pod);
  let status = init.reason ?? initial;
  let restarts = init.restarts;
  let ready = init.readySidecars;
  if (init.reason === undefined || hasTrue(pod, 'Initialized')) {
    restarts = init.sidecarRestarts;
    const running = summarizeRunning(pod, status, restarts);
    status = running.status;
    ready += running.ready;
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (pod.status.reason === 'NodeLost') status = 'Unknown';
    else if (phase !== 'Failed' && phase !== 'Succeeded') status = 'Terminating';
  }
  return { ready, total, status, restarts: restarts.count, lastRestart: restarts.last };
}

const orElse = (text: string | undefined, other: string): string =>
  text === undefined || text === '' ? other : text;

function readinessGates(pod: coreV1.Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  return `${gates.filter((gate) => hasTrue(pod, gate.conditionType)).length}/${gates.length}`;
}

export const podColumns: readonly KindColumn<coreV1.Pod>[] = [
  nameColumn,
  {
    name: 'Ready',
    description: 'Containers that are ready, of all.',
    cell: (pod) => {
      const { ready, total } = summarizePod(pod);
      return `${ready}/${total}`;
    },
  },
  {
    name: 'Status',
    description: 'A summary of what the containers do.',
    cell: (pod) => summarizePod(pod).status,
  },
  {
    name: 'Restarts',
    description: 'How often containers were restarted, and when last.',
    cell: (pod, nowMs) => {
      const { restarts, lastRestart } = summarizePod(pod);
      return restarts === 0 || lastRestart === 0
        ? String(restarts)
        : `${restarts} (${humanDuration(nowMs - lastRestart)} ago)`;
    },
  },
  ageColumn,
  {
    name: 'IP',
    description: 'The address of the pod.',
    wide: true,
    cell: (pod) => orNone(pod.status.podIPs?.[0]?.ip),
  },
  { name: 'Node', description: 'The node it runs on.', wide: true, cell: (pod) => orNone(pod.spec.nodeName) },
  {
    name: 'Nominated Node',
    description: 'The node on which room is being made for it.',
    wide: true,
    cell: (pod) => orNone(pod.status.nominatedNodeName),
  },
  {
    name: 'Readiness Gates',
    description: 'Gates that are open, of all.',
    wide: true,
    cell: readinessGates,
  },
];
