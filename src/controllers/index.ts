/** The controllers of the cluster, each in its folder, on one frame. */
import { deploymentController } from './deployment/index.ts';
import type { Controller } from './frame/controller.ts';
import { replicaSetController, replicationController } from './replicaset/index.ts';
import { type ControllerHost, type RunningControllers, runControllers } from './frame/run-controllers.ts';

export { defineController } from './frame/controller.ts';
export type { Controller, ControllerContext, ControllerLoop, ReconcileResult } from './frame/controller.ts';
export type { ControllerHost, RunningControllers } from './frame/run-controllers.ts';

export const controllers: readonly Controller[] = [
  replicationController,
  replicaSetController,
  deploymentController,
];

/** Starts them all, or those given. */
export function startControllers(
  host: ControllerHost & { readonly controllers?: readonly Controller[] },
): RunningControllers {
  return runControllers(host.controllers ?? controllers, host);
}
