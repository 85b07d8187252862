/**
 * What the cluster's own processes need of the launcher: what they were given, where things are, their record.
 * A door of its own: the other one loads what starts and removes clusters, which costs a process time and memory.
 */
export { type ClusterConfig, LOOPBACK, serverUrl } from './cluster-config.ts';
export type { ProcessInput, ProcessMessage } from './launch.ts';
export { nodeFolders } from './node-folders.ts';
export { NODE_NETWORK_USER, readNodePki } from './node-pki.ts';
export { readPki } from './pki.ts';
export { removeProcessRecord, startTicksOf, writeProcessRecord } from './process-record.ts';
