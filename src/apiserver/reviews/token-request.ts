/** `serviceaccounts/token`: tokens with an end, an audience, and if asked the life of another object (KEP-1205). */
import type { authenticationV1, coreV1 } from '#api';
import {
  badRequest,
  conflict,
  type FieldError,
  invalid,
  invalidObject,
  type KubeObject,
  notFound,
  parseApiVersion,
} from '#machinery';
import { type Clock, formatTime } from '#platform';
import type { ServiceAccountTokenIssuer, TokenSubject } from '../authentication/token-issuer.ts';
import type { CacheReader } from '../reader.ts';
import type { VirtualRequest, VirtualResource } from '../registry/virtual-resource.ts';
import { typed } from '../typed-object.ts';

const KIND = { group: 'authentication.k8s.io', kind: 'TokenRequest' };
const KIND_AS_RESOURCE = { group: KIND.group, resource: KIND.kind };
const SERVICE_ACCOUNTS = { group: '', resource: 'serviceaccounts' };
const PODS = { group: '', resource: 'pods' };
const SECRETS = { group: '', resource: 'secrets' };
const NODES = { group: '', resource: 'nodes' };

const DEFAULT_EXPIRATION_SECONDS = 3600;
const MIN_EXPIRATION_SECONDS = 600;
const MAX_EXPIRATION_SECONDS = 2 ** 32;
/** What the injected volume asks for: marks clients that may not yet refresh their token. */
const INJECTED_EXPIRATION_SECONDS = 3607;
/** Such a token really lasts a year; using it after the hour it asked for counts as stale. */
const EXTENDED_EXPIRATION_SECONDS = 365 * 24 * 3600;

export interface TokenRequestOptions {
  readonly clock: Clock;
  readonly reader: CacheReader;
  readonly issuer: ServiceAccountTokenIssuer;
  readonly audiences: readonly string[];
}

type Binding = Pick<TokenSubject, 'pod' | 'secret' | 'node'>;
type ObjectMeta = { readonly metadata: { readonly name?: string; readonly uid?: string } };

const claimOf = ({ metadata }: ObjectMeta) => ({ name: metadata.name, uid: metadata.uid });

function validate(expirationSeconds: number): void {
  const errors: FieldError[] = [];
  const path = 'spec.expirationSeconds';
  if (expirationSeconds < MIN_EXPIRATION_SECONDS) {
    errors.push(invalid(path, expirationSeconds, 'may not specify a duration less than 10 minutes'));
  }
  if (expirationSeconds > MAX_EXPIRATION_SECONDS) {
    errors.push(invalid(path, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'));
  }
  if (errors.length > 0) throw invalidObject(KIND, '', errors);
}

export function tokenRequest(options: TokenRequestOptions): VirtualResource {
  return {
    group: '',
    resource: 'serviceaccounts',
    subresource: 'token',
    create: (request) => createToken(options, request),
  };
}

async function createToken(
  { clock, reader, issuer, audiences: ownAudiences }: TokenRequestOptions,
  { target, body }: VirtualRequest,
): Promise<KubeObject> {
  const { name = '', namespace = '' } = target;
  checkIdentity(body, name, namespace);
  const account = reader.get<coreV1.ServiceAccount>(SERVICE_ACCOUNTS, namespace, name);
  if (account === undefined) throw notFound(SERVICE_ACCOUNTS, name);
  const uid = account.metadata.uid ?? '';
  const askedUid = body.metadata.uid ?? '';
  if (askedUid !== '' && askedUid !== uid) {
    throw conflict(
      KIND_AS_RESOURCE,
      name,
      `the UID in the token request (${askedUid}) does not match the UID of the service account (${uid})`,
    );
  }
  const spec: Partial<authenticationV1.TokenRequestSpec> =
    typed<authenticationV1.TokenRequest>(body).spec ?? {};
  // A decoded list without elements may be null.
  const asked = spec.audiences ?? [];
  const audiences = asked.length === 0 ? ownAudiences : asked;
  const expirationSeconds = spec.expirationSeconds ?? DEFAULT_EXPIRATION_SECONDS;
  // Taken before signing, so that the end told is never later than the token's own.
  const nowMs = clock.now();
  validate(expirationSeconds);
  const bound =
    spec.boundObjectRef === undefined || spec.boundObjectRef === null
      ? {}
      : boundObject(reader, spec.boundObjectRef, { namespace, name });
  const extended =
    bound.pod !== undefined &&
    expirationSeconds === INJECTED_EXPIRATION_SECONDS &&
    audiences.every((audience) => ownAudiences.includes(audience));
  const token = await issuer.issue(
    { namespace, name, uid, ...bound },
    {
      audiences,
      expirationSeconds: extended ? EXTENDED_EXPIRATION_SECONDS : expirationSeconds,
      warnAfterSeconds: extended ? expirationSeconds : undefined,
    },
  );
  return {
    apiVersion: body.apiVersion,
    kind: body.kind,
    metadata: { ...body.metadata, name, namespace, uid, creationTimestamp: formatTime(nowMs) },
    spec: { audiences, expirationSeconds, boundObjectRef: spec.boundObjectRef ?? null },
    status: { token, expirationTimestamp: formatTime(nowMs + expirationSeconds * 1000) },
  };
}

function checkIdentity(body: KubeObject, name: string, namespace: string): void {
  const given = body.metadata;
  if (given.name !== undefined && given.name !== '' && given.name !== name) {
    throw invalidObject(KIND, name, [
      invalid('metadata.name', given.name, 'must match the service account name if specified'),
    ]);
  }
  if (given.namespace !== undefined && given.namespace !== '' && given.namespace !== namespace) {
    throw invalidObject(KIND, name, [
      invalid('metadata.namespace', given.namespace, 'must match the service account namespace if specified'),
    ]);
  }
}

function found<T>(resource: { group: string; resource: string }, name: string, object: T | undefined): T {
  if (object === undefined) throw notFound(resource, name);
  return object;
}

/** The object whose deletion ends the token. @throws StatusError when it is not there or not the one meant. */
function boundObject(
  reader: CacheReader,
  ref: authenticationV1.BoundObjectReference,
  account: { readonly namespace: string; readonly name: string },
): Binding {
  const { group, version } = parseApiVersion(ref.apiVersion ?? '');
  const { kind = '', name = '' } = ref;
  const check = (object: ObjectMeta): void => {
    if (ref.uid === undefined || ref.uid === '' || ref.uid === object.metadata.uid) return;
    throw conflict(
      { group, resource: kind },
      name,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  };
  switch (group === '' ? kind : '') {
    case 'Pod': {
      const pod = found(PODS, name, reader.get<coreV1.Pod>(PODS, account.namespace, name));
      if (pod.spec?.serviceAccountName !== account.name) {
        throw badRequest(
          `cannot bind token for serviceaccount "${account.name}" to pod running with different serviceaccount name.`,
        );
      }
      check(pod);
      const nodeName = pod.spec.nodeName ?? '';
      if (nodeName === '') return { pod: claimOf(pod) };
      // Without its Node object a pod's node is still told by name.
      const node = reader.get<coreV1.Node>(NODES, '', nodeName);
      return { pod: claimOf(pod), node: { name: nodeName, uid: node?.metadata.uid } };
    }
    case 'Node': {
      const node = found(NODES, name, reader.get<coreV1.Node>(NODES, '', name));
      check(node);
      return { node: claimOf(node) };
    }
    case 'Secret': {
      const secret = found(SECRETS, name, reader.get<coreV1.Secret>(SECRETS, account.namespace, name));
      check(secret);
      return { secret: claimOf(secret) };
    }
    default:
      throw badRequest(`cannot bind token to object of type ${group}/${version}, Kind=${kind}`);
  }
}
