/** A pod with a RuntimeClass carries that class's overhead, and goes where the class can run (KEP-688). */
import { isDeepStrictEqual } from 'node:util';
import { type coreV1, equalResources, type nodeV1, resourceList } from '#api';
import type { KubeObject } from '#machinery';
import type { CacheReader } from '../reader.ts';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { refusal, resourceOf, withSpec } from './refusal.ts';

const RUNTIME_CLASSES = { group: 'node.k8s.io', resource: 'runtimeclasses' };

export function runtimeClass(options: { readonly reader: CacheReader }): AdmissionPlugin {
  function classOf(attributes: AdmissionAttributes, spec: coreV1.PodSpec): nodeV1.RuntimeClass | undefined {
    const name = spec.runtimeClassName;
    if (name === undefined) return undefined;
    const found = options.reader.get<nodeV1.RuntimeClass>(RUNTIME_CLASSES, '', name);
    if (found !== undefined) return found;
    throw refusal(attributes, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
  }

  const appliesTo = (attributes: AdmissionAttributes): boolean =>
    attributes.operation === 'CREATE' && resourceOf(attributes) === 'pods';

  return {
    name: 'RuntimeClass',
    mutate(attributes: AdmissionAttributes): KubeObject | undefined {
      const { object } = attributes;
      if (object === undefined || !appliesTo(attributes)) return object;
      const { spec } = typed<coreV1.Pod>(object);
      const found = classOf(attributes, spec);
      if (found === undefined) return object;
      const overhead = found.overhead?.podFixed;
      if (overhead !== undefined && spec.overhead !== undefined) {
        checkOverhead(attributes, spec.overhead, overhead);
      }
      return withSpec(object, {
        ...(overhead === undefined ? {} : { overhead }),
        ...(found.scheduling === undefined ? {} : schedulingOf(attributes, spec, found.scheduling)),
      });
    },
    validate(attributes: AdmissionAttributes): void {
      const { object } = attributes;
      if (object === undefined || !appliesTo(attributes)) return;
      const { spec } = typed<coreV1.Pod>(object);
      const overhead = classOf(attributes, spec)?.overhead?.podFixed;
      if (overhead !== undefined) return checkOverhead(attributes, spec.overhead ?? {}, overhead);
      if (spec.overhead === undefined) return undefined;
      throw refusal(
        attributes,
        'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
      );
    },
  };
}

type Amounts = Readonly<Record<string, string>>;

function checkOverhead(attributes: AdmissionAttributes, own: Amounts, classes: Amounts): void {
  if (equalResources(resourceList(own), resourceList(classes))) return;
  throw refusal(attributes, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
}

function schedulingOf(
  attributes: AdmissionAttributes,
  spec: coreV1.PodSpec,
  scheduling: nodeV1.Scheduling,
): Partial<coreV1.PodSpec> {
  for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {})) {
    const own = spec.nodeSelector?.[key];
    if (own === undefined || own === value) continue;
    throw refusal(
      attributes,
      `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
    );
  }
  const nodeSelector = { ...spec.nodeSelector, ...scheduling.nodeSelector };
  const tolerations = mergeTolerations([...(spec.tolerations ?? []), ...(scheduling.tolerations ?? [])]);
  return {
    ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
    ...(tolerations.length === 0 ? {} : { tolerations }),
  };
}

/** Without those that another one includes; of equal ones the first stays. */
function mergeTolerations(all: readonly coreV1.Toleration[]): readonly coreV1.Toleration[] {
  const merged: coreV1.Toleration[] = [];
  for (const [i, toleration] of all.entries()) {
    if (merged.some((kept) => includes(kept, toleration))) continue;
    const later = all.slice(i + 1);
    if (later.some((other) => !isDeepStrictEqual(other, toleration) && includes(other, toleration))) continue;
    merged.push(toleration);
  }
  return merged;
}

function includes(wide: coreV1.Toleration, narrow: coreV1.Toleration): boolean {
  if (isDeepStrictEqual(wide, narrow)) return true;
  const everyKey = (wide.key ?? '') === '' && wide.operator === 'Exists';
  if ((wide.key ?? '') !== (narrow.key ?? '') && !everyKey) return false;
  const [wideEffect, narrowEffect] = [wide.effect ?? '', narrow.effect ?? ''];
  if (wideEffect !== '' && wideEffect !== narrowEffect) return false;
  if (wideEffect === 'NoExecute' && wide.tolerationSeconds !== undefined) {
    if (narrow.tolerationSeconds === undefined || narrow.tolerationSeconds > wide.tolerationSeconds)
      return false;
  }
  if (wide.operator === 'Exists') return true;
  return narrow.operator === 'Equal' && (narrow.value ?? '') === (wide.value ?? '');
}
