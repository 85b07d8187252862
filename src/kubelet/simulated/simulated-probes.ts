/** Probes of containers that do not listen: they succeed unless the pod's script says otherwise. */
import type { ProbeRunner } from '../probes/probe.ts';
import { type ContainerScript, SCRIPT_ANNOTATION } from './script.ts';

export const simulatedProbes: ProbeRunner = {
  async run(probe, { pod, container }) {
    const handler = probe.httpGet ? 'http' : probe.tcpSocket ? 'tcp' : probe.grpc ? 'grpc' : 'exec';
    const text = pod.metadata.annotations?.[SCRIPT_ANNOTATION];
    const scripts = text === undefined ? {} : (JSON.parse(text) as Record<string, ContainerScript>);
    return scripts[container.name]?.failProbes?.includes(handler) === true
      ? { result: 'failure', output: `simulated ${handler} failure` }
      : { result: 'success', output: '' };
  },
};
