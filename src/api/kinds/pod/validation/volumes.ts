/** Volumes of a pod: exactly one known source each, names unique. */
import {
  duplicate,
  type FieldPath,
  fieldForbidden,
  invalid,
  parseQuantity,
  required,
  validateDns1123Subdomain,
} from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { checkPresent, isEmpty, type Errors } from '../../field-rules.ts';
import { checkDns1123Label, checkTemplateMetadata } from '../../metadata-rules.ts';
import { checkClaimSpec } from '../../storage/claim-spec.ts';
import {
  checkAzureDisk,
  checkDisk,
  checkFibreChannel,
  checkFlexVolume,
  checkFlocker,
  checkHostPath,
  checkInlineCsi,
  checkIscsi,
  checkNfs,
  checkQuobyte,
  checkStorageOs,
  ISCSI_TOO_LONG,
  isIscsiTooLong,
  needs,
} from '../../volume-sources.ts';
import { checkPullPolicy } from './images.ts';
import {
  checkDescendingPath,
  checkDownwardVolume,
  checkFiles,
  checkProjectedVolume,
} from './volume-files.ts';

type Sources = Omit<coreV1.Volume, 'name'>;
type Source<K extends keyof Sources> = NonNullable<Sources[K]>;

interface SourceRule<K extends keyof Sources> {
  readonly field: K;
  /** Where errors inside the source are reported, if not at `field`. */
  readonly path?: string;
  /** Where a second source is reported, if not at `field`. */
  readonly refusedAt?: string;
  readonly check: (source: Source<K>, at: FieldPath, errors: Errors) => void;
}

const rule = <K extends keyof Sources>(
  field: K,
  check: SourceRule<K>['check'],
  path?: string,
  refusedAt?: string,
) =>
  ({
    field,
    check,
    ...(path === undefined ? {} : { path }),
    ...(refusedAt === undefined ? {} : { refusedAt }),
  }) as SourceRule<K>;

function checkSecret(source: coreV1.SecretVolumeSource, at: FieldPath, errors: Errors): void {
  checkPresent(source.secretName, at.child('secretName'), errors);
  checkFiles(source, at, errors);
}

function checkConfigMap(source: coreV1.ConfigMapVolumeSource, at: FieldPath, errors: Errors): void {
  checkPresent(source.name, at.child('name'), errors);
  checkFiles(source, at, errors);
}

function checkGitRepo(source: coreV1.GitRepoVolumeSource, at: FieldPath, errors: Errors): void {
  checkPresent(source.repository, at.child('repository'), errors);
  checkDescendingPath(source.directory ?? '', at.child('directory'), errors);
}

function checkEmptyDir({ sizeLimit }: coreV1.EmptyDirVolumeSource, at: FieldPath, errors: Errors): void {
  if (sizeLimit !== undefined && parseQuantity(sizeLimit).sign() < 0) {
    errors.push(fieldForbidden(at.child('sizeLimit'), 'SizeLimit field must be a valid resource quantity'));
  }
}

function checkEphemeral(source: coreV1.EphemeralVolumeSource, at: FieldPath, errors: Errors): void {
  const template = source.volumeClaimTemplate;
  const path = at.child('volumeClaimTemplate');
  if (template === undefined) {
    errors.push(required(path));
    return;
  }
  checkTemplateMetadata(template.metadata, path.child('metadata'), errors);
  checkClaimSpec(template.spec, path.child('spec'), errors);
}

function checkCinder(source: coreV1.CinderVolumeSource, at: FieldPath, errors: Errors): void {
  checkPresent(source.volumeID, at.child('volumeID'), errors);
  if (source.secretRef !== undefined)
    checkPresent(source.secretRef.name, at.child('secretRef', 'name'), errors);
}

/** In the order in which upstream looks at them: of several the first one counts. */
const SOURCES = [
  rule('emptyDir', checkEmptyDir),
  rule('hostPath', checkHostPath),
  rule('gitRepo', checkGitRepo),
  rule('gcePersistentDisk', checkDisk('pdName'), 'persistentDisk'),
  rule('awsElasticBlockStore', checkDisk('volumeID')),
  rule('secret', checkSecret),
  rule('nfs', checkNfs),
  rule('iscsi', checkIscsi),
  rule('glusterfs', needs('endpoints', 'path')),
  rule('flocker', checkFlocker),
  rule('persistentVolumeClaim', needs('claimName')),
  rule('rbd', needs('monitors', 'image')),
  rule('cinder', checkCinder),
  rule('cephfs', needs('monitors'), undefined, 'cephFS'),
  rule('quobyte', checkQuobyte),
  // Upstream's spelling.
  rule('downwardAPI', checkDownwardVolume, undefined, 'downwarAPI'),
  rule('fc', checkFibreChannel),
  rule('flexVolume', checkFlexVolume),
  rule('configMap', checkConfigMap),
  rule('azureFile', needs('secretName', 'shareName')),
  rule('vsphereVolume', needs('volumePath')),
  rule('photonPersistentDisk', needs('pdID')),
  rule('portworxVolume', needs('volumeID')),
  rule('azureDisk', checkAzureDisk),
  rule('storageos', checkStorageOs),
  rule('projected', checkProjectedVolume),
  rule('scaleIO', needs('gateway', 'system', 'volumeName')),
  rule('csi', checkInlineCsi),
  rule('ephemeral', checkEphemeral),
] as const;

export interface VolumeContext {
  /** Of the pod; undefined in templates, where claims made for the pod have no name yet. */
  readonly podName: string | undefined;
}

/** Valid volumes by name. */
export type KnownVolumes = ReadonlyMap<string, coreV1.Volume>;

export function checkVolumes(
  volumes: readonly coreV1.Volume[],
  { podName }: VolumeContext,
  at: FieldPath,
  errors: Errors,
): KnownVolumes {
  const known = new Map<string, coreV1.Volume>();
  const made = new Set(
    isEmpty(podName)
      ? []
      : volumes.filter((volume) => volume.ephemeral !== undefined).map(({ name }) => `${podName}-${name}`),
  );
  for (const [i, volume] of volumes.entries()) {
    const path = at.index(i);
    const before = errors.length;
    checkSource(volume, podName, path, errors);
    if (checkPresent(volume.name, path.child('name'), errors)) {
      checkDns1123Label(volume.name, path.child('name'), errors);
    }
    if (known.has(volume.name)) errors.push(duplicate(path.child('name'), volume.name));
    if (errors.length === before) known.set(volume.name, volume);
    const claimName = volume.persistentVolumeClaim?.claimName;
    if (claimName !== undefined && made.has(claimName)) {
      const why = 'must not reference a PVC that gets created for an ephemeral volume';
      errors.push(invalid(path.child('persistentVolumeClaim', 'claimName'), claimName, why));
    }
  }
  return known;
}

function checkSource(
  volume: coreV1.Volume,
  podName: string | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  let found = 0;
  for (const { field, path = field, refusedAt = field, check } of SOURCES) {
    const source = volume[field];
    if (source === undefined) continue;
    if (found++ === 0) {
      // The rule and the source come from the same entry of the table, which the compiler cannot see.
      (check as (source: object, at: FieldPath, errors: Errors) => void)(source, at.child(path), errors);
    } else errors.push(fieldForbidden(at.child(refusedAt), 'may not specify more than 1 volume type'));
    if (field === 'iscsi' && volume.iscsi !== undefined && isIscsiTooLong(volume.name, volume.iscsi)) {
      errors.push(invalid(at.child('name'), volume.name, ISCSI_TOO_LONG));
    }
    if (field === 'ephemeral' && found === 1) checkMadeClaimName(volume.name, podName, at, errors);
  }
  if (volume.image !== undefined) {
    if (found++ === 0) checkImageVolume(volume.image, podName !== undefined, at.child('image'), errors);
    else errors.push(fieldForbidden(at.child('image'), 'may not specify more than 1 volume type'));
  }
  if (found === 0) errors.push(required(at, 'must specify a volume type'));
}

function checkMadeClaimName(name: string, podName: string | undefined, at: FieldPath, errors: Errors): void {
  if (podName === undefined || podName === '' || name === '') return;
  const claimName = `${podName}-${name}`;
  for (const text of validateDns1123Subdomain(claimName)) {
    errors.push(invalid(at.child('name'), name, `PVC name ${JSON.stringify(claimName)}: ${text}`));
  }
}

function checkImageVolume(
  image: coreV1.ImageVolumeSource,
  inPod: boolean,
  at: FieldPath,
  errors: Errors,
): void {
  if (inPod) checkPresent(image.reference, at.child('reference'), errors);
  checkPullPolicy(image.pullPolicy, at.child('pullPolicy'), errors);
}
