/** The controllers of the cluster, each in its folder, on one frame. */
import {
  certificateApprovingController,
  certificateCleanerController,
  certificateSigningController,
  type SigningAuthority,
} from './certificates/index.ts';
import { clusterRoleAggregationController } from './clusterroleaggregation/index.ts';
import { cronJobController } from './cronjob/index.ts';
import { daemonSetController } from './daemonset/index.ts';
import { deploymentController } from './deployment/index.ts';
import { disruptionController } from './disruption/index.ts';
import { endpointsController } from './endpoints/index.ts';
import { endpointSliceController } from './endpointslice/index.ts';
import { endpointSliceMirroringController } from './endpointslicemirroring/index.ts';
import { ephemeralVolumeController } from './ephemeralvolume/index.ts';
import type { Controller } from './frame/controller.ts';
import { type ControllerHost, type RunningControllers, runControllers } from './frame/run-controllers.ts';
import { garbageCollector } from './garbagecollector/index.ts';
import { jobController } from './job/index.ts';
import { namespaceController } from './namespace/index.ts';
import { nodeLifecycleController, type NodeLifecycleOptions } from './nodelifecycle/index.ts';
import { persistentVolumeController } from './persistentvolume/index.ts';
import { podGarbageCollector, type PodCollectorOptions } from './podgc/index.ts';
import { replicaSetController, replicationController } from './replicaset/index.ts';
import { resourceQuotaController } from './resourcequota/index.ts';
import { rootCaPublisher } from './rootca/index.ts';
import { serviceAccountController } from './serviceaccount/index.ts';
import { statefulSetController } from './statefulset/index.ts';
import { taintEvictionController } from './tainteviction/index.ts';
import { ttlAfterFinishedController } from './ttlafterfinished/index.ts';
import {
  attributesClassProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from './volumeprotection/index.ts';

export { defineController } from './frame/controller.ts';
export type { Controller, ControllerContext, ControllerLoop, ReconcileResult } from './frame/controller.ts';
export type { ControllerHost, RunningControllers } from './frame/run-controllers.ts';

export interface ControllerSetOptions extends NodeLifecycleOptions, PodCollectorOptions {
  /** Published into every namespace. Absent: not published. */
  readonly rootCaPem?: string;
  /** Signs approved certificate requests. Absent: somebody else does. */
  readonly signingAuthority?: SigningAuthority;
}

/** The controllers of a cluster, as upstream's controller manager runs them by default. */
export function builtinControllers(options: ControllerSetOptions = {}): readonly Controller[] {
  return [
    namespaceController,
    serviceAccountController,
    ...(options.rootCaPem === undefined ? [] : [rootCaPublisher(options.rootCaPem)]),
    replicationController,
    replicaSetController,
    deploymentController,
    endpointSliceController,
    endpointsController,
    endpointSliceMirroringController,
    garbageCollector,
    jobController,
    cronJobController,
    daemonSetController,
    statefulSetController,
    disruptionController,
    clusterRoleAggregationController,
    resourceQuotaController,
    certificateApprovingController,
    ...(options.signingAuthority === undefined
      ? []
      : [certificateSigningController(options.signingAuthority)]),
    certificateCleanerController,
    nodeLifecycleController(options),
    taintEvictionController,
    podGarbageCollector(options),
    ttlAfterFinishedController,
    persistentVolumeController,
    ephemeralVolumeController,
    claimProtectionController,
    volumeProtectionController,
    attributesClassProtectionController,
  ];
}

/** Starts the built-in controllers, or those given. */
export function startControllers(
  host: ControllerHost & {
    readonly controllers?: readonly Controller[];
    readonly options?: ControllerSetOptions;
  },
): RunningControllers {
  return runControllers(host.controllers ?? builtinControllers(host.options), host);
}
