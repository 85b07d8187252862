/** The scheduler: gives every pod a node, or says why there is none. */
export type {
  ClusterEvent,
  NodeFilter,
  NodeScorer,
  Rejection,
  SchedulerPlugin,
  Snapshot,
} from './framework.ts';
export { MAX_SCORE, normalizeScores } from './framework.ts';
export { NodeInfo } from './node-info.ts';
export { defaultPlugins } from './plugins/index.ts';
export type { PodEventSink, SchedulerOptions } from './scheduler.ts';
export { Scheduler } from './scheduler.ts';
