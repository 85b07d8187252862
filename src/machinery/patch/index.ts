/** Changing an object by a patch: JSON patch, merge patch and strategic merge patch. Documents are never mutated. */
export {
  applyJsonPatch,
  MAX_JSON_PATCH_COPY_BYTES,
  MAX_JSON_PATCH_OPERATIONS,
  unknownJsonPatchFields,
} from './json-patch.ts';
export { goPrint } from './json-value.ts';
export { applyMergePatch } from './merge-patch.ts';
export { applyStrategicMergePatch } from './strategic-merge.ts';
