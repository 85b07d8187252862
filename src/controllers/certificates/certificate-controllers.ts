import { X509Certificate } from 'node:crypto';
import { type authorizationV1, type certificatesV1 } from '#api';
import { type Client, resources } from '#client';
import { isNotFound, parseTimestamp } from '#machinery';
import { formatTime, type WallTimeMs } from '#platform';
import {
  type Controller,
  type ControllerContext,
  type ControllerLoop,
  defineController,
  type ReconcileResult,
} from '../frame/controller.ts';
import { isKnownSigner, KUBELET_CLIENT, refusalOf } from './signer-rules.ts';
import type { SigningAuthority } from './signing-request.ts';

export type { SigningAuthority } from './signing-request.ts';

type Request = certificatesV1.CertificateSigningRequest;
type Condition = certificatesV1.CertificateSigningRequestCondition;

const IDENTITY = 'certificate-controller';
const WORKERS = 5;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Longest life of a certificate, and shortest. */
const MAX_LIFE_MS = 365 * 24 * HOUR_MS;
const MIN_LIFE_MS = 10 * MINUTE_MS;
/** Clocks of other machines may be behind. A short life is not shortened by that. */
const BACKDATE_MS = 5 * MINUTE_MS;
const SHORT_LIFE_MS = 8 * HOUR_MS;

const has = ({ status }: Request, type: string): boolean =>
  status.conditions?.some((condition) => condition.type === type) === true;
const isIssued = ({ status }: Request): boolean => (status.certificate ?? '') !== '';
const pemOf = ({ spec }: Request): string => Buffer.from(spec.request, 'base64').toString();

/** The X.509 library is loaded with the first request that needs it. */
const x509 = () => import('./signing-request.ts');

function requestLoop(
  { informers, queue }: ControllerContext,
  reconcile: (request: Request) => Promise<ReconcileResult | undefined>,
): ControllerLoop {
  const requests = informers.for(resources.certificateSigningRequests);
  const enqueue = ({ metadata }: Request): void => queue.add(metadata.name);
  const remove = requests.addHandler({ onAdd: enqueue, onUpdate: enqueue });
  return {
    informers: [requests],
    async reconcile(name) {
      const request = requests.get(name);
      return request === undefined ? undefined : reconcile(request);
    },
    stop: remove,
  };
}

/** Approves what kubelets ask for themselves, if they may. */
export const certificateApprovingController = defineController({
  name: 'certificatesigningrequest-approving-controller',
  identity: IDENTITY,
  workers: WORKERS,
  setup: (context) => requestLoop(context, (request) => approve(context, request)),
});

async function approve({ client, clock }: ControllerContext, request: Request): Promise<undefined> {
  const { spec, status, metadata } = request;
  if (isIssued(request) || has(request, 'Approved') || has(request, 'Denied')) return;
  if (spec.signerName !== KUBELET_CLIENT) return;
  const { names } = await (await x509()).readRequest(pemOf(request));
  if (refusalOf(KUBELET_CLIENT, names, spec.usages ?? []) !== undefined) return;
  const own = names.commonName === spec.username;
  for (const subresource of own ? ['selfnodeclient', 'nodeclient'] : ['nodeclient']) {
    if (!(await mayCreate(client, request, subresource))) continue;
    const kind = subresource === 'selfnodeclient' ? 'self kubelet' : 'kubelet';
    const now = formatTime(clock.now());
    const condition: Condition = {
      type: 'Approved',
      status: 'True',
      reason: 'AutoApproved',
      message: `Auto approving ${kind} client certificate after SubjectAccessReview.`,
      lastUpdateTime: now,
      lastTransitionTime: now,
    };
    const conditions = [...(status.conditions ?? []), condition];
    await client
      .resource(resources.certificateSigningRequests)
      .updateSubresource(metadata.name, 'approval', { ...request, status: { ...status, conditions } });
    return;
  }
}

async function mayCreate(client: Client, { spec }: Request, subresource: string): Promise<boolean> {
  const review: authorizationV1.SubjectAccessReview = await client
    .resource(resources.subjectAccessReviews)
    .create({
      metadata: {},
      spec: {
        user: spec.username ?? '',
        ...(spec.uid === undefined ? {} : { uid: spec.uid }),
        ...(spec.groups === undefined ? {} : { groups: spec.groups }),
        ...(spec.extra === undefined ? {} : { extra: spec.extra }),
        resourceAttributes: {
          group: 'certificates.k8s.io',
          version: '*',
          resource: 'certificatesigningrequests',
          subresource,
          verb: 'create',
        },
      },
    });
  return review.status.allowed;
}

/** Makes the certificates that were approved for the signers of `kubernetes.io`, with the cluster's own authority. */
export function certificateSigningController(authority: SigningAuthority): Controller {
  return defineController({
    name: 'certificatesigningrequest-signing-controller',
    identity: IDENTITY,
    workers: WORKERS,
    setup: (context) => requestLoop(context, (request) => sign(context, authority, request)),
  });
}

async function sign(
  { client, clock, random }: ControllerContext,
  authority: SigningAuthority,
  request: Request,
): Promise<undefined> {
  const { spec, status } = request;
  if (isIssued(request) || !has(request, 'Approved') || has(request, 'Denied') || has(request, 'Failed'))
    return;
  if (!isKnownSigner(spec.signerName)) return;
  const library = await x509();
  const { names, request: parsed } = await library.readRequest(pemOf(request));
  const now = clock.now();
  const refusal = refusalOf(spec.signerName, names, spec.usages ?? []);
  if (refusal !== undefined) {
    const failed: Condition = {
      type: 'Failed',
      status: 'True',
      reason: 'SignerValidationFailure',
      message: refusal,
      lastUpdateTime: formatTime(now),
      lastTransitionTime: formatTime(now),
    };
    const conditions = [...(status.conditions ?? []), failed];
    await client
      .resource(resources.certificateSigningRequests)
      .updateStatus({ ...request, status: { ...status, conditions } });
    return;
  }
  const pem = await library.issue(parsed, {
    authority,
    usages: spec.usages ?? [],
    notBeforeMs: now - BACKDATE_MS,
    notAfterMs: endOf(now, spec.expirationSeconds),
    random,
  });
  const certificate = Buffer.from(pem).toString('base64');
  await client
    .resource(resources.certificateSigningRequests)
    .updateStatus({ ...request, status: { ...status, certificate } });
}

function endOf(now: WallTimeMs, expirationSeconds: number | undefined): WallTimeMs {
  const wantedMs = expirationSeconds === undefined ? MAX_LIFE_MS : expirationSeconds * 1000;
  const lifeMs = Math.min(MAX_LIFE_MS, Math.max(MIN_LIFE_MS, wantedMs));
  return now + lifeMs - (lifeMs < SHORT_LIFE_MS ? 0 : BACKDATE_MS);
}

/** Removes requests that are settled for an hour, or open for a day, and those whose certificate has ended. */
export const certificateCleanerController = defineController({
  name: 'certificatesigningrequest-cleaner-controller',
  identity: IDENTITY,
  workers: 1,
  setup: (context) => requestLoop(context, (request) => clean(context, request)),
});

async function clean(
  { client, clock, logger }: ControllerContext,
  request: Request,
): Promise<ReconcileResult | undefined> {
  const leftMs = removalTime(request) - clock.now();
  if (leftMs > 0) return { requeueAfterMs: leftMs };
  const { name, uid } = request.metadata;
  try {
    await client.resource(resources.certificateSigningRequests).delete(name, { preconditions: { uid } });
    logger.debug({ request: name }, 'certificate request removed');
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return undefined;
}

function removalTime(request: Request): WallTimeMs {
  const since = (type: string): WallTimeMs | undefined => {
    const at = request.status.conditions?.find((condition) => condition.type === type)?.lastUpdateTime;
    return at === undefined ? undefined : parseTimestamp(at);
  };
  const settled = since('Denied') ?? since('Failed');
  if (settled !== undefined) return settled + HOUR_MS;
  const approved = since('Approved');
  if (approved === undefined) return parseTimestamp(request.metadata.creationTimestamp) + 24 * HOUR_MS;
  return isIssued(request)
    ? Math.min(approved + HOUR_MS, endOfCertificate(request))
    : approved + 24 * HOUR_MS;
}

/** Never, when it cannot be read: then the hour counts. */
function endOfCertificate({ status }: Request): WallTimeMs {
  try {
    const certificate = new X509Certificate(Buffer.from(status.certificate ?? '', 'base64'));
    return Date.parse(certificate.validTo);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
