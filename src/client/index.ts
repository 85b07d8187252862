/** The only way to see the cluster: client, informers, work queue, leader election, events. */
export type * from './client.ts';
export { createClient } from './create-client.ts';
export { objectKey, splitKey } from './informer.ts';
export type * from './informer.ts';
export { createInformer, createInformerFactory } from './informer-factory.ts';
export type {
  InformerFactoryOptions,
  InformerOptions,
  InformerScope,
  OwnInformer,
} from './informer-factory.ts';
export { Backoff } from './backoff.ts';
export type { BackoffOptions } from './backoff.ts';
export { resources } from './resources.ts';
export { retryOnConflict } from './retry.ts';
export { createWorkQueue } from './work-queue.ts';
export type { WorkQueue, WorkQueueOptions } from './work-queue.ts';
export { createEventRecorder } from './event-recorder.ts';
export type {
  EventRecorder,
  EventRecorderOptions,
  EventSubject,
  EventTarget,
  EventType,
} from './event-recorder.ts';
export { createLeaderElector } from './leader-election.ts';
export type { LeaderElectionOptions, LeaderElector } from './leader-election.ts';
export { ConnectionError } from './http/connection.ts';
export { httpEndpoint } from './http/http-endpoint.ts';
export type { HttpEndpoint, HttpEndpointOptions } from './http/http-endpoint.ts';
export { KubeconfigError, loadKubeconfig } from './http/load-kubeconfig.ts';
export type { KubeconfigAccess } from './http/load-kubeconfig.ts';
