/** Who owns which field of an object: server-side apply and `metadata.managedFields`. */
export { type FieldFilter, keepAll, onlyBelow, withoutFields } from './field-filter.ts';
export { MAX_UPDATE_MANAGERS, readManagers } from './managers.ts';
export type { VersionConverter } from './ownership.ts';
export { fieldFilterOf } from './reset-fields.ts';
export {
  type ApplyOptions,
  applyServerSide,
  type TrackUpdateOptions,
  trackUpdate,
} from './server-side-apply.ts';
