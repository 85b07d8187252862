import { type coreV1, qualityOfService } from '#api';
import type { Pod } from '../pods/pod-spec.ts';

export type QosClass = NonNullable<coreV1.PodStatus['qosClass']>;

/** What the API server decided when the pod was made; computed by the same rule for a pod that has no status yet. */
export const qosClass = ({ spec, status }: Pod): QosClass => status?.qosClass ?? qualityOfService(spec);
