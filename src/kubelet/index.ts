/** The node's agent: pod workers, probes, volumes, status, node server. */
export type { CgroupManager } from './cgroups/cgroup-manager.ts';
export { createCgroupManager } from './cgroups/pod-cgroups.ts';
export type { CgroupManagerOptions } from './cgroups/pod-cgroups.ts';
export type { EventSink, EventTarget } from './events.ts';
export { createKubelet } from './kubelet.ts';
export type { Kubelet } from './kubelet.ts';
export { readMachineInfo } from './node/machine-info.ts';
export type { MachineInfo } from './node/machine-info.ts';
export type { KubeletOptions } from './options.ts';
export type { ProbeAnswer, ProbeRunner, ProbeTarget } from './probes/probe.ts';
export { askApiServer, onlyApiServer } from './server/node-authorizer.ts';
export type { AuthenticateToken, AuthorizeNodeRequest, NodeRequest } from './server/node-authorizer.ts';
export { startNodeServer } from './server/node-server.ts';
export type { NodeServer, NodeServerOptions } from './server/node-server.ts';
export * from './simulated/index.ts';
