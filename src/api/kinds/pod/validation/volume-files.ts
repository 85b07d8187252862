/** Keys, paths and modes of the files that ConfigMap, Secret, downward API and projected volumes hold. */
import {
  type FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  required,
  validateDns1123Subdomain,
} from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { addInvalid, checkPresent, type Errors } from '../../field-rules.ts';
import { checkAnnotations, checkLabelSelector } from '../../metadata-rules.ts';
import { checkSignerName } from '../../signer-name.ts';
import { checkFieldSelector, checkResourceFieldSelector } from './downward-fields.ts';

const MAX_MODE = 0o777;

export function checkMode(mode: number | undefined, at: FieldPath, errors: Errors): void {
  if (mode !== undefined && (mode > MAX_MODE || mode < 0)) {
    errors.push(invalid(at, mode, 'must be a number between 0 and 0777 (octal), both inclusive'));
  }
}

export function checkNoBacksteps(path: string, at: FieldPath, errors: Errors): void {
  if (path.split('/').includes('..')) errors.push(invalid(at, path, "must not contain '..'"));
}

export function checkDescendingPath(path: string, at: FieldPath, errors: Errors): void {
  if (path.startsWith('/')) errors.push(invalid(at, path, 'must be a relative path'));
  checkNoBacksteps(path, at, errors);
}

export function checkLocalPath(path: string, at: FieldPath, errors: Errors): void {
  checkDescendingPath(path, at, errors);
  if (path.startsWith('..') && !path.startsWith('../')) {
    errors.push(invalid(at, path, "must not start with '..'"));
  }
}

export function checkKeyToPath(item: coreV1.KeyToPath, at: FieldPath, errors: Errors): void {
  checkPresent(item.key, at.child('key'), errors);
  checkPresent(item.path, at.child('path'), errors);
  checkLocalPath(item.path, at.child('path'), errors);
  checkMode(item.mode, at.child('mode'), errors);
}

export function checkFiles(
  source: { readonly defaultMode?: number; readonly items?: readonly coreV1.KeyToPath[] },
  at: FieldPath,
  errors: Errors,
): void {
  checkMode(source.defaultMode, at.child('defaultMode'), errors);
  for (const [i, item] of (source.items ?? []).entries()) {
    checkKeyToPath(item, at.child('items').index(i), errors);
  }
}

const VOLUME_FIELDS = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

function checkDownwardFile(file: coreV1.DownwardAPIVolumeFile, at: FieldPath, errors: Errors): void {
  checkPresent(file.path, at.child('path'), errors);
  checkLocalPath(file.path, at.child('path'), errors);
  if (file.fieldRef !== undefined) {
    checkFieldSelector(file.fieldRef, VOLUME_FIELDS, at.child('fieldRef'), errors);
    if (file.resourceFieldRef !== undefined) {
      errors.push(
        invalid(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'),
      );
    }
  } else if (file.resourceFieldRef !== undefined) {
    checkResourceFieldSelector(file.resourceFieldRef, true, at.child('resourceFieldRef'), errors);
  } else {
    errors.push(required(at, 'one of fieldRef and resourceFieldRef is required'));
  }
  checkMode(file.mode, at.child('mode'), errors);
}

export function checkDownwardVolume(
  source: coreV1.DownwardAPIVolumeSource,
  at: FieldPath,
  errors: Errors,
): void {
  checkMode(source.defaultMode, at.child('defaultMode'), errors);
  for (const file of source.items ?? []) checkDownwardFile(file, at, errors);
}

export function checkProjectedVolume(
  projected: coreV1.ProjectedVolumeSource,
  at: FieldPath,
  errors: Errors,
): void {
  checkMode(projected.defaultMode, at.child('defaultMode'), errors);
  const paths = new ProjectedPaths(at, errors);
  for (const [i, source] of (projected.sources ?? []).entries()) {
    const path = at.child('sources').index(i);
    checkProjection(source, path, at, paths, errors);
    if (Object.values(source).filter((part) => part !== undefined).length > 1) {
      errors.push(fieldForbidden(path, 'may not specify more than 1 volume type per source'));
    }
  }
}

/** No two files of the volume may have the same path. */
class ProjectedPaths {
  readonly #seen = new Set<string>();
  readonly #at: FieldPath;
  readonly #errors: Errors;

  constructor(at: FieldPath, errors: Errors) {
    this.#at = at;
    this.#errors = errors;
  }

  add(path: string, blamed = path): void {
    if (this.#seen.has(path)) this.#errors.push(invalid(this.#at, blamed, 'conflicting duplicate paths'));
    else this.#seen.add(path);
  }
}

function checkProjection(
  source: coreV1.VolumeProjection,
  path: FieldPath,
  volumePath: FieldPath,
  paths: ProjectedPaths,
  errors: Errors,
): void {
  for (const kind of ['secret', 'configMap'] as const) {
    const keyed = source[kind];
    if (keyed === undefined) continue;
    const { name = '', items = [] } = keyed;
    checkPresent(name, path.child(kind, 'name'), errors);
    for (const [i, item] of items.entries()) {
      checkKeyToPath(item, path.child(kind, 'items').index(i), errors);
      if (item.path !== '') paths.add(item.path, name);
    }
  }
  for (const file of source.downwardAPI?.items ?? []) {
    checkDownwardFile(file, path.child('downwardAPI'), errors);
    if (file.path !== '') paths.add(file.path);
  }
  if (source.serviceAccountToken !== undefined) {
    checkTokenProjection(source.serviceAccountToken, path.child('serviceAccountToken'), volumePath, errors);
  }
  if (source.clusterTrustBundle !== undefined) {
    const at = path.child('clusterTrustBundle');
    checkTrustBundle(source.clusterTrustBundle, at, errors);
    paths.add(source.clusterTrustBundle.path);
  }
  if (source.podCertificate !== undefined) {
    checkPodCertificate(source.podCertificate, path.child('podCertificate'), paths, errors);
  }
}

function checkTokenProjection(
  token: coreV1.ServiceAccountTokenProjection,
  at: FieldPath,
  volumePath: FieldPath,
  errors: Errors,
): void {
  const seconds = token.expirationSeconds ?? 0;
  const expiration = at.child('expirationSeconds');
  if (seconds < 600) {
    errors.push(invalid(expiration, seconds, 'may not specify a duration less than 10 minutes'));
  }
  if (seconds > 2 ** 32) {
    errors.push(invalid(expiration, seconds, 'may not specify a duration larger than 2^32 seconds'));
  }
  // Upstream blames the volume, not the source.
  if (checkPresent(token.path, volumePath.child('path'), errors)) {
    checkLocalPath(token.path, volumePath.child('path'), errors);
  }
}

function checkTrustBundle(bundle: coreV1.ClusterTrustBundleProjection, at: FieldPath, errors: Errors): void {
  const { name, signerName } = bundle;
  if (name !== undefined && signerName !== undefined) {
    errors.push(invalid(at, bundle, 'only one of name and signerName may be used'));
  } else if (name !== undefined) {
    checkPresent(name, at.child('name'), errors, 'must be a valid object name');
    const messages = validateTrustBundleName(name).map(
      (text) => `not a valid clustertrustbundlename: ${text}`,
    );
    addInvalid(messages, at.child('name'), name, errors);
    if (bundle.labelSelector !== undefined) {
      const why = 'labelSelector must be unset if name is specified';
      errors.push(invalid(at.child('labelSelector'), bundle.labelSelector, why));
    }
  } else if (signerName !== undefined) {
    checkPresent(signerName, at.child('signerName'), errors, 'must be a valid signer name');
    checkSignerName(signerName, at.child('signerName'), errors);
    checkLabelSelector(bundle.labelSelector, at.child('labelSelector'), errors);
  } else {
    errors.push(required(at, 'either name or signerName must be specified'));
  }
  checkPresent(bundle.path, at.child('path'), errors);
  checkLocalPath(bundle.path, at.child('path'), errors);
}

/** A bundle of a signer is called `domain:path:name`. */
export function validateTrustBundleName(name: string): readonly string[] {
  return validateDns1123Subdomain(name.slice(name.lastIndexOf(':') + 1));
}

const KEY_TYPES = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];
const MIN_EXPIRATION_SECONDS = 3_600;
const MAX_EXPIRATION_SECONDS = 91 * 24 * 3_600;
const KUBERNETES_MAX_EXPIRATION_SECONDS = 24 * 3_600;

function checkPodCertificate(
  certificate: coreV1.PodCertificateProjection,
  at: FieldPath,
  paths: ProjectedPaths,
  errors: Errors,
): void {
  const signerName = certificate.signerName ?? '';
  checkSignerName(signerName, at.child('signerName'), errors);
  checkAnnotations(certificate.userAnnotations, at.child('userAnnotations'), errors);
  const keyType = certificate.keyType ?? '';
  if (!KEY_TYPES.includes(keyType)) errors.push(notSupported(at.child('keyType'), keyType, KEY_TYPES));
  const seconds = certificate.maxExpirationSeconds;
  if (seconds !== undefined) {
    const ofKubernetes = signerName.split('/')[0]?.endsWith('kubernetes.io') === true;
    const max = ofKubernetes ? KUBERNETES_MAX_EXPIRATION_SECONDS : MAX_EXPIRATION_SECONDS;
    const [operator, bound] = seconds < MIN_EXPIRATION_SECONDS ? ['>=', MIN_EXPIRATION_SECONDS] : ['<=', max];
    if (seconds < MIN_EXPIRATION_SECONDS || seconds > max) {
      const why = `if provided, maxExpirationSeconds must be ${operator} ${bound}`;
      errors.push(invalid(at.child('maxExpirationSeconds'), seconds, why));
    }
  }
  const fields = ['credentialBundlePath', 'keyPath', 'certificateChainPath'] as const;
  const given = fields.flatMap((field) => {
    const path = certificate[field] ?? '';
    return path === '' ? [] : [{ field, path }];
  });
  for (const { field, path } of given) {
    checkLocalPath(path, at.child(field), errors);
    paths.add(path);
  }
  if (given.length === 0) {
    errors.push(
      required(at, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath'),
    );
  }
}
