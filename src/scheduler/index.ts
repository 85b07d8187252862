/** The scheduler: gives every pod a node, or says why there is none. */
export type { ClusterView } from './cluster-view.ts';
export type {
  ClusterEvent,
  FailedCycle,
  NodeFilter,
  NodeScorer,
  PodRejection,
  PostFilterResult,
  Rejection,
  SchedulerPlugin,
  Snapshot,
} from './framework.ts';
export { MAX_SCORE, normalizeScores } from './framework.ts';
export { NodeInfo } from './node-info.ts';
export { defaultPlugins } from './plugins/index.ts';
export type { PluginServices } from './plugins/index.ts';
export type { PodEventSink } from './pod-event-sink.ts';
export { Scheduler } from './scheduler.ts';
export type { SchedulerOptions } from './scheduler.ts';
