import type { KubeObject } from '#machinery';
import { apiVersionOf } from '#machinery';
/** Stands in for the conversion of `#api`: shapes that agree. */
export function convert(
  object: KubeObject,
  gv: { readonly group: string; readonly version: string },
): KubeObject {
  const apiVersion = apiVersionOf(gv);
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}
