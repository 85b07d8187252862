/** CertificateSigningRequest. */
import { X509Certificate } from 'node:crypto';
import {
  deepEqual,
  duplicate,
  type FieldError,
  FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  required,
} from '#machinery';
import type { certificatesV1 } from '../../types/index.ts';
import { collect, type Errors } from '../field-rules.ts';
import { checkSignerName } from '../signer-name.ts';
import { specDiff } from '../spec-diff.ts';

type Request = certificatesV1.CertificateSigningRequest;

const specPath = new FieldPath('spec');
const conditionsPath = new FieldPath('status.conditions');
const certificatePath = new FieldPath('status.certificate');
const LEGACY_SIGNER = 'kubernetes.io/legacy-unknown';

const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  'protection',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
].filter((usage) => usage !== 'protection');

const pemOf = (base64: string): string => Buffer.from(base64, 'base64').toString();

function checkRequest(request: Request, old: Request | undefined, errors: Errors): void {
  const { spec, status } = request;
  const pem = pemOf(spec.request ?? '');
  if (!/-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/.test(pem)) {
    errors.push(
      invalid(specPath.child('request'), spec.request, 'PEM block type must be CERTIFICATE REQUEST'),
    );
  }
  checkUsages(spec.usages ?? [], old?.spec.usages ?? [], errors);
  const signerPath = specPath.child('signerName');
  if (spec.signerName === LEGACY_SIGNER && old?.spec.signerName !== LEGACY_SIGNER) {
    const why = 'the legacy signerName is not allowed via this API version';
    errors.push(invalid(signerPath, spec.signerName, why));
  } else checkSignerName(spec.signerName, signerPath, errors);
  const seconds = spec.expirationSeconds;
  if (seconds !== undefined && seconds < 600) {
    const why = 'may not specify a duration less than 600 seconds (10 minutes)';
    errors.push(invalid(specPath.child('expirationSeconds'), seconds, why));
  }
  checkConditions(status.conditions ?? [], old?.status.conditions ?? [], errors);
  const { certificate } = status;
  if (certificate !== old?.status.certificate && certificate !== undefined) {
    const problem = certificateProblem(pemOf(certificate));
    if (problem !== undefined) errors.push(invalid(certificatePath, '<certificate data>', problem));
  }
}

function checkUsages(usages: readonly string[], old: readonly string[], errors: Errors): void {
  const path = specPath.child('usages');
  if (usages.length === 0) errors.push(required(path));
  const allowsUnknown = old.some((usage) => !USAGES.includes(usage));
  const allowsRepeated = new Set(old).size < old.length;
  for (const [i, usage] of usages.entries()) {
    if (!allowsUnknown && !USAGES.includes(usage)) errors.push(notSupported(path.index(i), usage, USAGES));
  }
  for (const [i, usage] of usages.entries()) {
    if (!allowsRepeated && usages.indexOf(usage) < i) errors.push(duplicate(path.index(i), usage));
  }
}

type Condition = certificatesV1.CertificateSigningRequestCondition;
const TRUE_ONLY = new Set(['Approved', 'Denied', 'Failed']);

function checkConditions(conditions: readonly Condition[], old: readonly Condition[], errors: Errors): void {
  const hasBoth = (list: readonly Condition[]): boolean =>
    ['Approved', 'Denied'].every((type) => list.some((condition) => condition.type === type));
  const allowsRepeated = new Set(old.map(({ type }) => type)).size < old.length;
  const seen = new Set<string>();
  for (const [i, { type, status }] of conditions.entries()) {
    const path = conditionsPath.index(i);
    if (type === '' && !old.some((condition) => condition.type === ''))
      errors.push(required(path.child('type')));
    const allowed = TRUE_ONLY.has(type) ? ['True'] : ['False', 'True', 'Unknown'];
    const given: string = status ?? '';
    if (given === '') errors.push(required(path.child('status')));
    else if (!allowed.includes(given)) errors.push(notSupported(path.child('status'), given, allowed));
    const other = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined;
    if (other !== undefined && seen.has(other) && !hasBoth(old)) {
      const why = 'Approved and Denied conditions are mutually exclusive';
      errors.push(invalid(conditionsPath, type, why));
    }
    if (seen.has(type) && !allowsRepeated) errors.push(duplicate(path.child('type'), type));
    seen.add(type);
  }
}

/** Blocks of certificates and nothing else; undefined when that is what it is. */
function certificateProblem(pem: string): string | undefined {
  if (pem === '') return undefined;
  const blocks = [...pem.matchAll(/-----BEGIN ([^-]+)-----([\s\S]*?)-----END \1-----/g)];
  if (blocks.length === 0) return 'must contain at least one CERTIFICATE PEM block';
  for (const [block = '', type = '', body = ''] of blocks) {
    if (type !== 'CERTIFICATE') {
      return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    }
    if (body.includes(':')) return 'no PEM block headers are permitted';
    if (!isCertificate(block)) return 'x509: malformed certificate';
  }
  return undefined;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

export const validateRequest = (request: Request): readonly FieldError[] =>
  collect((errors) => checkRequest(request, undefined, errors));

const countOf = ({ status }: Request, type: string): readonly Condition[] =>
  (status.conditions ?? []).filter((condition) => condition.type === type);

function checkRequestUpdate(
  request: Request,
  old: Request,
  allows: { readonly approval?: boolean; readonly certificate?: boolean },
  errors: Errors,
): void {
  checkRequest(request, old, errors);
  for (const type of ['Approved', 'Denied', 'Failed']) {
    if (countOf(request, type).length >= countOf(old, type).length) continue;
    errors.push(fieldForbidden(conditionsPath, `updates may not remove a condition of type "${type}"`));
  }
  for (const type of allows.approval === true ? [] : ['Approved', 'Denied']) {
    const next = countOf(request, type);
    const before = countOf(old, type);
    if (next.length > before.length) {
      errors.push(fieldForbidden(conditionsPath, `updates may not add a condition of type "${type}"`));
    } else if (next.length === before.length && !deepEqual(next, before)) {
      const why = `updates may not modify a condition of type "${type}"\n${specDiff(before, next)}`;
      errors.push(fieldForbidden(conditionsPath, why));
    }
  }
  if ((request.status.certificate ?? '') === (old.status.certificate ?? '')) return;
  if (allows.certificate !== true) {
    errors.push(fieldForbidden(certificatePath, 'updates may not set certificate content'));
  } else if ((old.status.certificate ?? '') !== '') {
    errors.push(fieldForbidden(certificatePath, 'updates may not modify existing certificate content'));
  }
}

export const validateRequestUpdate = (
  request: Request,
  old: Request,
  subresource: string | undefined,
): readonly FieldError[] =>
  collect((errors) => checkRequestUpdate(request, old, { approval: subresource === 'approval' }, errors));

export const validateRequestStatus = (request: Request, old: Request): readonly FieldError[] =>
  collect((errors) => checkRequestUpdate(request, old, { certificate: true }, errors));
