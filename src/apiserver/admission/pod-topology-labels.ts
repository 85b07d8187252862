/** A pod learns zone and region of its node when it is bound (KEP-4742): the Binding's labels become the pod's. */
import type { coreV1 } from '#api';
import type { KubeObject } from '#machinery';
import type { CacheReader } from '../reader.ts';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { resourceOf, withMetadata } from './refusal.ts';

const TOPOLOGY_LABELS = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];
const NODES = { group: '', resource: 'nodes' };

export function podTopologyLabels(options: { readonly reader: CacheReader }): AdmissionPlugin {
  return {
    name: 'PodTopologyLabels',
    mutate(attributes: AdmissionAttributes): KubeObject | undefined {
      const { object, operation } = attributes;
      if (operation !== 'CREATE' || object === undefined) return object;
      const node = nodeOf(resourceOf(attributes), object);
      if (node === undefined) return object;
      const labels = options.reader.get<coreV1.Node>(NODES, '', node)?.metadata.labels ?? {};
      const copied = TOPOLOGY_LABELS.flatMap((key) =>
        labels[key] === undefined ? [] : [[key, labels[key]] as const],
      );
      if (copied.length === 0) return object;
      return withMetadata(object, { labels: { ...object.metadata.labels, ...Object.fromEntries(copied) } });
    },
  };
}

function nodeOf(resource: string, object: KubeObject): string | undefined {
  if (resource === 'pods') return typed<coreV1.Pod>(object).spec.nodeName;
  if (resource !== 'pods/binding') return undefined;
  const { target } = typed<coreV1.Binding>(object);
  return target.kind === 'Node' ? target.name : undefined;
}
