/** What the runtime needs to make a pod's sandbox. */
import type { DnsConfig, PodSandboxConfig, PortMapping } from '#cri';
import { isHostNetwork, type Pod, podName, podNamespace, podUid } from '../pods/pod-spec.ts';
import { podLabels } from './labels.ts';
import { podNamespaces } from './security-context.ts';

export interface SandboxInput {
  readonly pod: Pod;
  readonly attempt: number;
  /** Ignored with host network. */
  readonly hostname: string;
  readonly dns: DnsConfig;
  /** Folder of all pods' logs. */
  readonly logRoot: string;
  readonly cgroupParent: string;
}

/** `/var/log/pods/<namespace>_<name>_<uid>`, as log collectors expect it. */
export const podLogFolder = (logRoot: string, pod: Pod): string =>
  `${logRoot}/${podNamespace(pod)}_${podName(pod)}_${podUid(pod)}`;

export function sandboxConfig(input: SandboxInput): PodSandboxConfig {
  const { pod, attempt } = input;
  const sysctls: Record<string, string> = {};
  for (const { name, value } of pod.spec.securityContext?.sysctls ?? [])
    sysctls[name.replaceAll('/', '.')] = value;
  return {
    metadata: { name: podName(pod), namespace: podNamespace(pod), uid: podUid(pod), attempt },
    hostname: isHostNetwork(pod) ? '' : input.hostname,
    logDirectory: podLogFolder(input.logRoot, pod),
    dns: input.dns,
    portMappings: portMappings(pod),
    labels: podLabels(pod),
    annotations: pod.metadata.annotations ?? {},
    linux: {
      cgroupParent: input.cgroupParent,
      namespaces: podNamespaces(pod),
      sysctls,
      seccomp: { type: 'RuntimeDefault' },
      privileged: [...(pod.spec.initContainers ?? []), ...pod.spec.containers].some(
        ({ securityContext }) => securityContext?.privileged === true,
      ),
    },
  };
}

function portMappings(pod: Pod): readonly PortMapping[] {
  if (isHostNetwork(pod)) return [];
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort }) => hostPort !== undefined && hostPort !== 0)
      .map(({ protocol, containerPort, hostPort = 0, hostIP = '' }) => ({
        protocol: protocol ?? 'TCP',
        containerPort,
        hostPort,
        hostIp: hostIP,
      })),
  );
}
