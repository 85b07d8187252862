/** What a claim's volume is filled from, in its old field (`dataSource`) and its new one (`dataSourceRef`). KEP-1495. */
import type { coreV1 } from '../../types/index.ts';
import { isEmpty } from '../field-rules.ts';

type Claim = coreV1.PersistentVolumeClaim;
type ClaimSpec = coreV1.PersistentVolumeClaimSpec;

/** The only ones the old field ever took; others were dropped without a word. */
const isClassic = ({ apiGroup, kind }: coreV1.TypedLocalObjectReference): boolean =>
  isEmpty(apiGroup)
    ? kind === 'PersistentVolumeClaim'
    : kind === 'VolumeSnapshot' && apiGroup === 'snapshot.storage.k8s.io';

function without(spec: ClaimSpec, field: 'dataSource' | 'dataSourceRef'): ClaimSpec {
  const { [field]: _, ...rest } = spec;
  return rest;
}

/** @param old undefined on create. */
export function settleDataSources(claim: Claim, old?: Claim): Claim {
  let { spec } = claim;
  // Sources in other namespaces are an alpha feature that is off.
  const isElsewhere = !isEmpty(spec.dataSourceRef?.namespace);
  if (isElsewhere && old?.spec.dataSourceRef === undefined) spec = without(spec, 'dataSourceRef');
  const hadNone = old?.spec.dataSource === undefined && old?.spec.dataSourceRef === undefined;
  const { dataSource } = spec;
  if (hadNone && spec.dataSourceRef === undefined && dataSource !== undefined && !isClassic(dataSource)) {
    spec = without(spec, 'dataSource');
  }
  spec = withBoth(spec);
  return spec === claim.spec ? claim : { ...claim, spec };
}

function withBoth(spec: ClaimSpec): ClaimSpec {
  const { dataSource, dataSourceRef } = spec;
  if (dataSource !== undefined && dataSourceRef === undefined) return { ...spec, dataSourceRef: dataSource };
  if (dataSourceRef === undefined || dataSource !== undefined || !isEmpty(dataSourceRef.namespace))
    return spec;
  const { namespace: _, ...local } = dataSourceRef;
  return { ...spec, dataSource: local };
}
