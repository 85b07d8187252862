/**
 * One cluster on this machine, seen from outside its processes: folders, keys, addresses, starting and ending
 * processes, removing what they leave. Loads none of what runs inside them, so that commands are quick.
 */
export { AgentError, type AgentImage, type AgentLine, type AgentProgress, askAgent } from './agent-client.ts';
export { findProgram, type MissingCapability, missingCapabilities } from './capabilities.ts';
export {
  type ClusterConfig,
  LOOPBACK,
  readClusterConfig,
  serverUrl,
  type StoreConfig,
} from './cluster-config.ts';
export {
  type KubeconfigEntry,
  mergeKubeconfig,
  removeFromKubeconfig,
  renderKubeconfig,
} from './kubeconfig.ts';
export {
  bringUp,
  LaunchError,
  type ProcessInput,
  type ProcessMessage,
  type StartedCluster,
  takeDown,
  type UpOptions,
} from './launch.ts';
export { type ClusterLayout, ClusterNameError, layoutOf } from './layout.ts';
export { NoRoomError } from './new-cluster.ts';
export { nodeFolders, type NodeFolders } from './node-folders.ts';
export { NODE_NETWORK_USER, type NodePki, readNodePki } from './node-pki.ts';
export { type ClusterPki, createPki, readPki } from './pki.ts';
export { processArguments, processEnvironment } from './process-script.ts';
export {
  isAlive,
  type ProcessRecord,
  readProcessRecords,
  removeProcessRecord,
  startTicksOf,
  writeProcessRecord,
} from './process-record.ts';
