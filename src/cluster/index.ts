/** Composition: what runs together in one process, with which clock, store and identities. */
export { ADMIN, type ControlPlane, type ControlPlaneOptions, startControlPlane } from './control-plane.ts';
export {
  nodeUser,
  type SimulatedNodes,
  type SimulatedNodesOptions,
  startSimulatedNodes,
} from './simulated-nodes.ts';
