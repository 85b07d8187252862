/** Composition: what is started together, with which clock, store and identities. */
export { AgentError, type AgentImage, askAgent } from './agent-api.ts';
export { findProgram, type MissingCapability, missingCapabilities } from './capabilities.ts';
export { type ClusterConfig, readClusterConfig, serverUrl, type StoreConfig } from './cluster-config.ts';
export { ADMIN, type ControlPlane, type ControlPlaneOptions, startControlPlane } from './control-plane.ts';
export {
  type KubeconfigEntry,
  mergeKubeconfig,
  removeFromKubeconfig,
  renderKubeconfig,
} from './kubeconfig.ts';
export { bringUp, LaunchError, type StartedCluster, takeDown, type UpOptions } from './launch.ts';
export { type ClusterLayout, ClusterNameError, layoutOf } from './layout.ts';
export { type ClusterPki, createPki } from './pki.ts';
export { isAlive, type ProcessRecord, readProcessRecords } from './process-record.ts';
export { nodeUser, type SimulatedNodes, startSimulatedNodes } from './simulated-nodes.ts';
