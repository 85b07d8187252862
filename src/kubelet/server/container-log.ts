/** `/containerLogs/<namespace>/<pod>/<container>`. Refusals are in upstream's words: kubectl shows them. */
import type { coreV1 } from '#api';
import { findContainer, type Pod } from '../pods/pod-spec.ts';
import { type LogOptions, parseNanos } from '../logs/log-stream.ts';

export class LogRequestError extends Error {
  readonly statusCode: number;
  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

/** @throws LogRequestError */
export function parseLogOptions(
  query: URLSearchParams,
  nowMs: number,
): LogOptions & { readonly previous: boolean } {
  const tail = query.get('tail');
  const tailLines = tail !== null && tail !== 'all' ? tail : query.get('tailLines');
  const sinceSeconds = count(query.get('sinceSeconds'), 1);
  const sinceTime = query.get('sinceTime');
  const stream = query.get('stream')?.toLowerCase();
  if (sinceSeconds !== undefined && sinceTime !== null) throw invalid();
  return {
    follow: flag(query.get('follow')),
    previous: flag(query.get('previous')),
    timestamps: flag(query.get('timestamps')),
    tailLines: count(tailLines, 0),
    sinceNs:
      sinceTime !== null
        ? parseNanos(sinceTime)
        : sinceSeconds === undefined
          ? undefined
          : BigInt(Math.trunc(nowMs) - sinceSeconds * 1000) * 1_000_000n,
    limitBytes: count(query.get('limitBytes'), 1),
    stream: stream === 'stdout' || stream === 'stderr' ? stream : undefined,
  };
}

const flag = (text: string | null): boolean => text === 'true' || text === '1';
const invalid = (): LogRequestError => new LogRequestError(422, '{"message": "Invalid request."}');

function count(text: string | null, least: number): number | undefined {
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!Number.isInteger(value)) throw new LogRequestError(400, '{"message": "Unable to decode query."}');
  if (value < least) throw invalid();
  return value;
}

/** The runtime's id of the container whose log is meant. @throws LogRequestError */
export function loggedContainerId(pod: Pod, containerName: string, previous: boolean): string {
  const podName = pod.metadata.name;
  if (findContainer(pod, containerName) === undefined) {
    throw new LogRequestError(404, `container "${containerName}" not found in pod "${podName}"`);
  }
  const about = `container "${containerName}" in pod "${podName}"`;
  const status = statusOf(pod, containerName);
  if (status === undefined) throw new LogRequestError(400, `${about} is not available`);
  const last = status.lastState?.terminated?.containerID ?? '';
  if (previous) {
    if (last === '') throw new LogRequestError(400, `previous terminated ${about} not found`);
    return bareId(last);
  }
  const { running, terminated, waiting } = status.state ?? {};
  if (running !== undefined) return bareId(status.containerID ?? '');
  const ended = terminated?.containerID ?? '';
  if (ended !== '') return bareId(ended);
  if (last !== '') return bareId(last);
  if (terminated !== undefined || status.lastState?.terminated !== undefined) {
    throw new LogRequestError(400, `${about} is terminated`);
  }
  throw new LogRequestError(400, `${about} is waiting to start${waitingFor(waiting?.reason)}`);
}

function waitingFor(reason: string | undefined): string {
  switch (reason) {
    case undefined:
      return ' - no logs yet';
    case 'ErrImagePull':
      return ": image can't be pulled";
    case 'ImagePullBackOff':
      return ': trying and failing to pull image';
    default:
      return `: ${reason}`;
  }
}

function statusOf({ status }: Pod, name: string): coreV1.ContainerStatus | undefined {
  const all = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  return all.find((one) => one.name === name);
}

/** Without the runtime's scheme. */
const bareId = (id: string): string => id.slice(id.indexOf('://') + 3);
