/** What a probe is: how to ask a container, and what it may answer. */
import type { coreV1 } from '#api';
import type { Container, Pod } from '../pods/pod-spec.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

export interface ProbeAnswer {
  /** `warning` counts as success and is told in an event. */
  readonly result: 'success' | 'warning' | 'failure';
  /** For the event's message. */
  readonly output: string;
}

export interface ProbeTarget {
  readonly pod: Pod;
  readonly container: Container;
  /** Without the runtime's scheme. */
  readonly containerId: string;
  readonly podIp: string;
}

/** Runs one probe once. */
export interface ProbeRunner {
  /** @throws when it could not be asked at all (unknown port name, runtime error): such a run does not count. */
  run(
    probe: coreV1.Probe,
    target: ProbeTarget,
    options: { readonly signal: AbortSignal },
  ): Promise<ProbeAnswer>;
}

export const probeOf = (container: Container, kind: ProbeKind): coreV1.Probe | undefined => {
  switch (kind) {
    case 'startup':
      return container.startupProbe;
    case 'liveness':
      return container.livenessProbe;
    case 'readiness':
      return container.readinessProbe;
    default:
      return kind satisfies never;
  }
};
