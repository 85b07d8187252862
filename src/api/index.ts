/** The built-in kinds. Types by package: `coreV1.Pod`, `appsV1.Deployment`. */
export type * from './draft.ts';
export type * from './kind-behaviour.ts';
export type * from './resource-info.ts';
export type * from './types/index.ts';
