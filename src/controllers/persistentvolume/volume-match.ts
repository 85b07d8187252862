/** Which volume fits a claim. Pure. */
import type { coreV1, storageV1 } from '#api';
import { compileLabelSelector, parseQuantity, type Quantity } from '#machinery';

export type Claim = coreV1.PersistentVolumeClaim;
export type Volume = coreV1.PersistentVolume;

const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const BETA_DEFAULT_CLASS = 'storageclass.beta.kubernetes.io/is-default-class';
const ZERO = parseQuantity('0');

export const claimClass = ({ metadata, spec }: Claim): string =>
  metadata.annotations?.[BETA_CLASS] ?? spec.storageClassName ?? '';
/** Asked for none is not the same as did not ask. */
export const asksForClass = ({ metadata, spec }: Claim): boolean =>
  metadata.annotations?.[BETA_CLASS] !== undefined || spec.storageClassName !== undefined;
const volumeClass = ({ metadata, spec }: Volume): string =>
  metadata.annotations?.[BETA_CLASS] ?? spec.storageClassName ?? '';

const storageOf = (amounts: Readonly<Record<string, string>> | undefined): Quantity => {
  const text = amounts?.['storage'];
  return text === undefined ? ZERO : parseQuantity(text);
};

const modesDiffer = (claim: Claim, volume: Volume): boolean =>
  (claim.spec.volumeMode ?? 'Filesystem') !== (volume.spec.volumeMode ?? 'Filesystem');
export { modesDiffer as volumeModesDiffer };

const hasAccessModes = (claim: Claim, volume: Volume): boolean =>
  (claim.spec.accessModes ?? []).every((mode) => volume.spec.accessModes?.includes(mode) === true);

const attributesDiffer = (claim: Claim, volume: Volume): boolean =>
  (claim.spec.volumeAttributesClassName ?? '') !== (volume.spec.volumeAttributesClassName ?? '');

/** Reserved for the claim by name, or bound to it by uid. */
export function isBoundTo({ spec: { claimRef } }: Volume, { metadata }: Claim): boolean {
  return (
    claimRef !== undefined &&
    claimRef.name === metadata.name &&
    claimRef.namespace === metadata.namespace &&
    ((claimRef.uid ?? '') === '' || claimRef.uid === metadata.uid)
  );
}

/** Why the volume that a claim asks for by name cannot be its; undefined when it can. */
export function mismatch(volume: Volume, claim: Claim): string | undefined {
  if (volume.metadata.deletionTimestamp !== undefined)
    return `the volume is marked for deletion ${JSON.stringify(volume.metadata.name)}`;
  if (storageOf(volume.spec.capacity).compare(storageOf(claim.spec.resources?.requests)) < 0)
    return 'requested PV is too small';
  if (volumeClass(volume) !== claimClass(claim)) return 'storageClassName does not match';
  if (attributesDiffer(claim, volume)) return 'volumeAttributesClassName does not match';
  if (modesDiffer(claim, volume)) return 'incompatible volumeMode';
  return hasAccessModes(claim, volume) ? undefined : 'incompatible accessMode';
}

/**
 * The volume reserved for the claim; else the smallest of those that have as few access modes more than asked for as
 * possible. With `waits` only a reserved one: the scheduler chooses among the others.
 */
export function bestVolume(claim: Claim, volumes: readonly Volume[], waits: boolean): Volume | undefined {
  const { selector } = claim.spec;
  const matches = selector === undefined ? () => true : compileLabelSelector(selector);
  const wanted = storageOf(claim.spec.resources?.requests);
  let best: Volume | undefined;
  for (const volume of volumes) {
    const { spec, metadata, status } = volume;
    if (!hasAccessModes(claim, volume)) continue;
    if (spec.claimRef !== undefined && !isBoundTo(volume, claim)) continue;
    if (storageOf(spec.capacity).compare(wanted) < 0) continue;
    if (modesDiffer(claim, volume) || attributesDiffer(claim, volume)) continue;
    if (metadata.deletionTimestamp !== undefined) continue;
    if (isBoundTo(volume, claim)) return volume;
    if (waits || status.phase !== 'Available' || !matches(metadata.labels)) continue;
    if (volumeClass(volume) !== claimClass(claim)) continue;
    if (best === undefined || isBetter(volume, best)) best = volume;
  }
  return best;
}

function isBetter(volume: Volume, than: Volume): boolean {
  const modes = ({ spec }: Volume): number => spec.accessModes?.length ?? 0;
  const difference =
    modes(volume) - modes(than) || storageOf(volume.spec.capacity).compare(storageOf(than.spec.capacity));
  return difference < 0;
}

/** The newest of those that say they are the default. */
export function defaultClass(classes: readonly storageV1.StorageClass[]): storageV1.StorageClass | undefined {
  const isDefault = ({ metadata: { annotations = {} } }: storageV1.StorageClass): boolean =>
    annotations[DEFAULT_CLASS] === 'true' || annotations[BETA_DEFAULT_CLASS] === 'true';
  const age = ({ metadata }: storageV1.StorageClass): string => metadata.creationTimestamp;
  return classes.filter(isDefault).toSorted((a, b) => {
    if (age(a) === age(b)) return a.metadata.name < b.metadata.name ? -1 : 1;
    return age(a) > age(b) ? -1 : 1;
  })[0];
}
