/** A pod on a node cannot grow past what the node can ever give. */
import { type coreV1, podRequests, QUANTITIES } from '#api';
import { parseQuantity, type Quantity, StatusError } from '#machinery';
import type { CacheReader } from '../reader.ts';
import { typed } from '../typed-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { refusal, resourceOf } from './refusal.ts';

const NODES = { group: '', resource: 'nodes' };

export function podResize(options: { readonly reader: CacheReader }): AdmissionPlugin {
  return {
    name: 'PodResizeValidator',
    validate(attributes: AdmissionAttributes): void {
      const { operation, object, oldObject } = attributes;
      if (operation !== 'UPDATE' || resourceOf(attributes) !== 'pods/resize') return;
      if (object === undefined || oldObject?.metadata.generation === object.metadata.generation) return;
      const pod = typed<coreV1.Pod>(object);
      const nodeName = pod.spec.nodeName ?? '';
      if (nodeName === '') return;
      const node = options.reader.get<coreV1.Node>(NODES, '', nodeName);
      if (node === undefined) throw refusal(attributes, `node ${JSON.stringify(nodeName)} not found`);
      checkSystem(attributes, node);
      checkCapacity(attributes, pod, node);
    },
  };
}

function refuse(attributes: AdmissionAttributes, why: string, reason: string): StatusError {
  const { code, reason: kind, message, details } = refusal(attributes, why);
  return new StatusError(code, kind, message, { ...details, causes: [{ reason }] });
}

function checkSystem(attributes: AdmissionAttributes, { metadata }: coreV1.Node): void {
  const system = metadata.labels?.['kubernetes.io/os'] ?? 'linux';
  if (system === 'linux') return;
  throw refuse(
    attributes,
    `pod resize is only supported on linux nodes, node ${JSON.stringify(metadata.name)} is ${JSON.stringify(system)}`,
    'UnsupportedPlatform',
  );
}

function checkCapacity(attributes: AdmissionAttributes, pod: coreV1.Pod, { status }: coreV1.Node): void {
  const requests = podRequests(pod, QUANTITIES, { useStatus: false, includeOverhead: true });
  const allocatable = (name: string): Quantity => parseQuantity(status?.allocatable?.[name] ?? '0');
  const missing: string[] = [];
  const [cpu, memory] = [requests.get('cpu'), requests.get('memory')];
  if (cpu !== undefined && cpu.compare(allocatable('cpu')) > 0) {
    const given = allocatable('cpu').milliValue();
    missing.push(`cpu, requested: ${cpu.milliValue()}, allocatable: ${given}`);
  }
  if (memory !== undefined && memory.compare(allocatable('memory')) > 0) {
    const given = allocatable('memory').value();
    missing.push(`memory, requested: ${memory.value()}, allocatable: ${given}`);
  }
  if (missing.length === 0) return;
  const why = `node didn't have enough allocatable resources: ${missing.join('; ')}`;
  throw refuse(attributes, why, 'NodeCapacity');
}
