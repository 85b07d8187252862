/** The built-in kinds. Types by package: `coreV1.Pod`, `appsV1.Deployment`. */
export type * from './draft.ts';
export type * from './kind-behaviour.ts';
export type * from './resource-info.ts';
export type * from './types/index.ts';
export { convert } from './conversion/convert.ts';
export { selectableFieldName } from './conversion/events.ts';
export { describeField, describeType } from './schema/descriptions.ts';
export { humanDuration, kindBehaviours, qualityOfService, validateServiceAddresses } from './kinds/index.ts';
export { builtinResources } from './schema/builtin-resources.ts';
export { builtinTypeNames, schemaByName, schemaOf } from './schema/schema-table.ts';
export {
  type Amounts,
  amountsOf,
  type Counting,
  NUMBERS,
  podLimits,
  podRequests,
  type PodResourcesOptions,
  QUANTITIES,
} from './pod-resources.ts';
export * from './quota/index.ts';
