/** Defaults of pods and pod templates that depend on other fields. */
import type { coreV1 } from '../../types/index.ts';

type PodSpec = coreV1.PodSpec;
type Container = coreV1.Container;

/** `Always` for `latest` and untagged images without a digest, else `IfNotPresent`. */
export function pullPolicyOf(image: string): 'Always' | 'IfNotPresent' {
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^:/]+)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function withPullPolicy<C extends Pick<Container, 'image' | 'imagePullPolicy'>>(container: C): C {
  return container.imagePullPolicy === undefined
    ? { ...container, imagePullPolicy: pullPolicyOf(container.image ?? '') }
    : container;
}

const withMessageFile = (container: coreV1.EphemeralContainer): coreV1.EphemeralContainer => ({
  ...container,
  terminationMessagePath: container.terminationMessagePath ?? '/dev/termination-log',
  terminationMessagePolicy: container.terminationMessagePolicy ?? 'File',
});

/** A volume without a source is an empty directory. */
function withSource(volume: coreV1.Volume): coreV1.Volume {
  const { image } = volume;
  if (Object.keys(volume).length === 1) return { ...volume, emptyDir: {} };
  if (image !== undefined && image.pullPolicy === undefined) {
    return { ...volume, image: { ...image, pullPolicy: pullPolicyOf(image.reference ?? '') } };
  }
  return volume;
}

function withHostPorts(container: Container): Container {
  if (container.ports === undefined) return container;
  const ports = container.ports.map((port) =>
    (port.hostPort ?? 0) === 0 ? { ...port, hostPort: port.containerPort } : port,
  );
  return { ...container, ports };
}

/** Shared by pods and templates. */
export function defaultPodSpec(spec: PodSpec): PodSpec {
  const onHost = spec.hostNetwork === true;
  // Absent in what a client sends; refused later, but everyone in between may count on a list.
  const containers = (spec.containers ?? []).map(withPullPolicy);
  const initContainers = spec.initContainers?.map(withPullPolicy);
  return {
    ...spec,
    ...(spec.volumes === undefined ? {} : { volumes: spec.volumes.map(withSource) }),
    containers: onHost ? containers.map(withHostPorts) : containers,
    ...(initContainers === undefined
      ? {}
      : { initContainers: onHost ? initContainers.map(withHostPorts) : initContainers }),
    ...(spec.ephemeralContainers === undefined
      ? {}
      : { ephemeralContainers: spec.ephemeralContainers.map(withPullPolicy).map(withMessageFile) }),
    // The old name of the field is kept equal to the new one.
    ...sameServiceAccount(spec),
  };
}

function sameServiceAccount(spec: PodSpec): Pick<PodSpec, 'serviceAccount' | 'serviceAccountName'> {
  const name = spec.serviceAccountName ?? spec.serviceAccount;
  return name === undefined ? {} : { serviceAccountName: name, serviceAccount: name };
}

/** What is limited but not requested is requested as much as it is limited. */
function withRequests(container: Container): Container {
  const { limits, requests } = container.resources ?? {};
  if (limits === undefined) return container;
  const missing = Object.keys(limits).filter((name) => requests?.[name] === undefined);
  if (missing.length === 0) return container;
  const added = Object.fromEntries(missing.map((name) => [name, limits[name] ?? '']));
  return { ...container, resources: { ...container.resources, requests: { ...requests, ...added } } };
}

export function defaultPod(pod: coreV1.Pod): coreV1.Pod {
  const spec = defaultPodSpec(pod.spec);
  return {
    ...pod,
    spec: {
      ...spec,
      enableServiceLinks: spec.enableServiceLinks ?? true,
      containers: spec.containers.map(withRequests),
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(withRequests) }),
    },
  };
}

/** `spec.template` of a workload. */
export function defaultTemplate<T extends coreV1.PodTemplateSpec | undefined>(template: T): T {
  if (template?.spec === undefined) return template;
  return { ...template, spec: defaultPodSpec(template.spec) };
}
