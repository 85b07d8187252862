/** Built-in admission, in upstream's order of plugins that are on by default. */
import type { Clock, Random } from '#platform';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { RbacIndex } from '../authorization/rbac-index.ts';
import type { CacheReader } from '../reader.ts';
import type { AdmissionDependencies, AdmissionPlugin } from './admission.ts';
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from './certificates.ts';
import { defaultIngressClass, defaultStorageClass } from './default-classes.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts';
import { podResize } from './pod-resize.ts';
import { podSecurity } from './pod-security/plugin.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { priority } from './priority.ts';
import { rbacEscalation } from './rbac-escalation.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccountPlugin } from './service-account.ts';
import { storageObjectInUseProtection } from './storage-object-in-use-protection.ts';
import { taintNodesByCondition } from './taint-nodes-by-condition.ts';

export type { AdmissionAttributes, AdmissionDependencies, AdmissionPlugin } from './admission.ts';

export interface AdmissionOptions {
  readonly reader: CacheReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly authorizer: Authorizer;
  readonly index: RbacIndex;
  readonly dependencies: AdmissionDependencies;
}

/** Plugins of whoever extends the server go before the last two, which judge what all others made of a write. */
export function admissionPlugins(options: AdmissionOptions): readonly AdmissionPlugin[] {
  return [
    namespaceLifecycle(options),
    limitRanger(options),
    serviceAccountPlugin(options),
    nodeRestriction(options),
    taintNodesByCondition,
    podSecurity(options),
    priority(options),
    defaultTolerationSeconds,
    defaultStorageClass(options),
    storageObjectInUseProtection,
    persistentVolumeClaimResize(options),
    runtimeClass(options),
    certificateApproval(options),
    certificateSigning(options),
    certificateSubjectRestriction,
    defaultIngressClass(options),
    podTopologyLabels(options),
    podResize(options),
    rbacEscalation(options),
    resourceQuota(options),
  ];
}
