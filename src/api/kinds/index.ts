/** Behaviour of the built-in kinds, by `group/Kind` (the core group is empty: `/Pod`). */
import type { KindBehaviour } from '../kind-behaviour.ts';
import { batchKinds } from './batch/index.ts';
import { coreKinds } from './core/index.ts';
import { extensionKinds } from './extension/index.ts';
import { networkingKinds } from './networking/index.ts';
import { podKinds } from './pod/index.ts';
import { policyKinds } from './policy/index.ts';
import { rbacKinds } from './rbac/index.ts';
import { resourceKinds } from './resource/index.ts';
import { serviceKinds } from './service/index.ts';
import { storageKinds } from './storage/index.ts';
import { workloadKinds } from './workloads/index.ts';

const all: readonly KindBehaviour[] = [
  ...podKinds,
  ...coreKinds,
  ...serviceKinds,
  ...workloadKinds,
  ...batchKinds,
  ...networkingKinds,
  ...storageKinds,
  ...policyKinds,
  ...rbacKinds,
  ...resourceKinds,
  ...extensionKinds,
];

export const kindBehaviours: ReadonlyMap<string, KindBehaviour> = new Map(
  all.map((behaviour) => [`${behaviour.group}/${behaviour.kind}`, behaviour]),
);
export { humanDuration } from './human-duration.ts';
export { qualityOfService } from './pod/quality-of-service.ts';
export { validateServiceAddresses } from './service/address-validation.ts';
