/** What makes a pod of a StatefulSet the one it is: ordinal, name, storage, revision. Pure. */
import type { appsV1, coreV1, Draft } from '#api';
import { controllerReference } from '../frame/ownership.ts';
import { podFromTemplate } from '../frame/pod-control.ts';
import { REVISION_LABEL } from '../frame/revisions.ts';

type StatefulSet = appsV1.StatefulSet;
type Pod = coreV1.Pod;
type Claim = coreV1.PersistentVolumeClaim;

const NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const INDEX_LABEL = 'apps.kubernetes.io/pod-index';

export const replicasOf = ({ spec }: StatefulSet): number => spec.replicas ?? 1;
export const firstOrdinal = ({ spec }: StatefulSet): number => spec.ordinals?.start ?? 0;
export const revisionOf = ({ metadata }: Pod): string => metadata.labels?.[REVISION_LABEL] ?? '';

/** Name of the set and ordinal that a pod's name says it has. */
export function parsePodName(name: string): { readonly set: string; readonly ordinal: number } | undefined {
  const match = /^(.*)-(\d+)$/s.exec(name);
  const ordinal = Number(match?.[2]);
  return match === null || ordinal >= 2 ** 31 ? undefined : { set: match[1] ?? '', ordinal };
}

export function isMember(set: StatefulSet, pod: Pod): boolean {
  return parsePodName(pod.metadata.name)?.set === set.metadata.name;
}

export const ordinalOf = ({ metadata }: Pod): number => parsePodName(metadata.name)?.ordinal ?? -1;

export function isInRange(set: StatefulSet, ordinal: number): boolean {
  const first = firstOrdinal(set);
  return ordinal >= first && ordinal < first + replicasOf(set);
}

export const podName = (set: StatefulSet, ordinal: number): string => `${set.metadata.name}-${ordinal}`;

export const claimName = (set: StatefulSet, template: Claim, ordinal: number): string =>
  `${template.metadata.name}-${set.metadata.name}-${ordinal}`;

/** The claims of a pod, from the set's templates. */
export function claimsOf(set: StatefulSet, ordinal: number): readonly Draft<Claim>[] {
  return (set.spec.volumeClaimTemplates ?? []).map((template) => {
    const { labels, annotations, finalizers } = template.metadata;
    return {
      metadata: {
        name: claimName(set, template, ordinal),
        namespace: set.metadata.namespace,
        labels: { ...labels, ...set.spec.selector?.matchLabels },
        ...(annotations === undefined ? {} : { annotations }),
        ...(finalizers === undefined ? {} : { finalizers }),
      },
      spec: template.spec,
    };
  });
}

function volumesOf(
  set: StatefulSet,
  ordinal: number,
  given: readonly coreV1.Volume[],
): readonly coreV1.Volume[] {
  const claimed = (set.spec.volumeClaimTemplates ?? []).map(
    (template): coreV1.Volume => ({
      name: template.metadata.name,
      persistentVolumeClaim: { claimName: claimName(set, template, ordinal) },
    }),
  );
  return [...claimed, ...given.filter(({ name }) => claimed.every((volume) => volume.name !== name))];
}

const identityLabels = (set: StatefulSet, ordinal: number): Readonly<Record<string, string>> => ({
  [NAME_LABEL]: podName(set, ordinal),
  [INDEX_LABEL]: String(ordinal),
});

export function newPod(
  set: StatefulSet,
  ordinal: number,
  template: coreV1.PodTemplateSpec,
  revision: string,
): Draft<Pod> {
  const name = podName(set, ordinal);
  const pod = podFromTemplate(template, set, controllerReference(set));
  const { generateName: _, ...metadata } = pod.metadata;
  const { volumes = [] } = pod.spec;
  const allVolumes = volumesOf(set, ordinal, volumes);
  return {
    ...pod,
    metadata: {
      ...metadata,
      name,
      labels: { ...metadata.labels, ...identityLabels(set, ordinal), [REVISION_LABEL]: revision },
    },
    spec: {
      ...pod.spec,
      hostname: name,
      ...(set.spec.serviceName === undefined ? {} : { subdomain: set.spec.serviceName }),
      ...(allVolumes.length === 0 ? {} : { volumes: allVolumes }),
    },
  };
}

export function hasIdentity(set: StatefulSet, pod: Pod): boolean {
  const { name, labels } = pod.metadata;
  return isMember(set, pod) && name === podName(set, ordinalOf(pod)) && labels?.[NAME_LABEL] === name;
}

export function hasStorage(set: StatefulSet, pod: Pod): boolean {
  return (set.spec.volumeClaimTemplates ?? []).every((template) =>
    pod.spec.volumes?.some(
      ({ name, persistentVolumeClaim }) =>
        name === template.metadata.name &&
        persistentVolumeClaim?.claimName === claimName(set, template, ordinalOf(pod)),
    ),
  );
}

/** The pod with the identity and storage it should have. */
export function withIdentity(set: StatefulSet, pod: Pod): Pod {
  const ordinal = ordinalOf(pod);
  return {
    ...pod,
    metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...identityLabels(set, ordinal) } },
    spec: { ...pod.spec, volumes: volumesOf(set, ordinal, pod.spec.volumes ?? []) },
  };
}
