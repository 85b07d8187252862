/**
 * Service account tokens: signed by the cluster, bound to objects that must still exist.
 *
 * The signature of a token never changes, so its verdict is kept by the token's hash; everything that can change
 * (time, the account, the bound pod, secret or node) is checked on every request against the caches. A deleted pod's
 * token is refused at once.
 */
import { createHash } from 'node:crypto';
import type { coreV1 } from '#api';
import { notFound, type UserInfo } from '#machinery';
import type { Clock } from '#platform';
import { quoteList } from '../authorization/rule-coverage.ts';
import type { CacheReader } from '../reader.ts';
import { CREDENTIAL_ID_KEY } from './client-certificate.ts';
import {
  type ObjectClaim,
  type ServiceAccountClaims,
  serviceAccountGroups,
  serviceAccountUserName,
} from './service-account-claims.ts';
import { InvalidTokenError, type TokenAuthenticator, type TokenIdentity } from './token-authenticator.ts';
import type { VerificationKey } from './token-keys.ts';

/** Tokens whose signature is remembered as good; when full, the one added longest ago is verified anew. */
const MAX_VERIFIED_TOKENS = 8192;
/** Clocks of issuer and verifier may differ by this much; also how long a deleted object's tokens stay good. */
const LEEWAY_SECONDS = 60;
/** go-jose's words for a signature that does not fit. */
const BAD_SIGNATURE = 'go-jose/go-jose: error in cryptographic primitive';
const INVALIDATED = 'service account token has been invalidated';

const SERVICE_ACCOUNTS = { group: '', resource: 'serviceaccounts' };

export interface ServiceAccountAuthenticatorOptions {
  readonly clock: Clock;
  readonly reader: CacheReader;
  /** The first signs; the others are still accepted. */
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  readonly keys: readonly VerificationKey[];
}

interface TokenHeader {
  readonly alg?: string;
  readonly kid?: string;
}

/** One part of a JWT; undefined when it is not an object in base64url. */
function parsePart(part: string): object | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

export class ServiceAccountAuthenticator implements TokenAuthenticator {
  readonly #clock: Clock;
  readonly #reader: CacheReader;
  readonly #issuers: ReadonlySet<string>;
  readonly #audiences: readonly string[];
  readonly #keys: readonly VerificationKey[];
  readonly #verified = new Map<string, ServiceAccountClaims>();

  constructor(options: ServiceAccountAuthenticatorOptions) {
    this.#clock = options.clock;
    this.#reader = options.reader;
    this.#issuers = new Set(options.issuers);
    this.#audiences = options.audiences;
    this.#keys = options.keys;
  }

  authenticateToken(token: string, audiences?: readonly string[]): TokenIdentity | undefined {
    const claims = this.#verify(token);
    if (claims === undefined) return undefined;
    const own = typeof claims.aud === 'string' ? [claims.aud] : (claims.aud ?? []);
    const tokenAudiences = own.length === 0 ? this.#audiences : own;
    const asked = audiences ?? this.#audiences;
    const matching = tokenAudiences.filter((audience) => asked.includes(audience));
    if (matching.length === 0) {
      throw new InvalidTokenError(
        `token audiences ${quoteList(tokenAudiences)} is invalid for the target audiences ${quoteList(asked)}`,
      );
    }
    this.#checkTime(claims);
    return { user: this.#userOf(claims), audiences: matching };
  }

  /** The claims of a token of ours with a good signature; undefined when it is no token of ours. */
  #verify(token: string): ServiceAccountClaims | undefined {
    const digest = createHash('sha256').update(token).digest('base64');
    const known = this.#verified.get(digest);
    if (known !== undefined) return known;
    const [header = '', payload = '', signature, ...rest] = token.split('.');
    if (signature === undefined || rest.length > 0) return undefined;
    const claims: ServiceAccountClaims | undefined = parsePart(payload);
    if (claims?.iss === undefined || !this.#issuers.has(claims.iss)) return undefined;
    const { alg, kid }: TokenHeader = parsePart(header) ?? {};
    const keys = this.#keys.filter((key) => kid === undefined || kid === '' || key.keyId === kid);
    if (keys.length === 0) throw new InvalidTokenError('invalid signature, no keys found');
    const data = `${header}.${payload}`;
    const bytes = Buffer.from(signature, 'base64url');
    // The key says which algorithm is allowed; the header may only agree ("none" and HMAC never do).
    if (!keys.some((key) => key.algorithm === alg && key.verify(data, bytes))) {
      throw new InvalidTokenError(BAD_SIGNATURE);
    }
    if (this.#verified.size >= MAX_VERIFIED_TOKENS) {
      for (const oldest of this.#verified.keys()) {
        this.#verified.delete(oldest);
        break;
      }
    }
    this.#verified.set(digest, claims);
    return claims;
  }

  #checkTime({ exp, nbf, iat }: ServiceAccountClaims): void {
    const now = Math.floor(this.#clock.now() / 1000);
    if (nbf !== undefined && now + LEEWAY_SECONDS < nbf) {
      throw new InvalidTokenError('service account token is not valid yet');
    }
    if (exp !== undefined && now - LEEWAY_SECONDS > exp) {
      throw new InvalidTokenError('service account token has expired');
    }
    if (iat !== undefined && now + LEEWAY_SECONDS < iat) {
      throw new InvalidTokenError('service account token is issued in the future');
    }
  }

  #userOf(claims: ServiceAccountClaims): UserInfo {
    const { namespace = '', serviceaccount = {}, pod, secret, node } = claims['kubernetes.io'] ?? {};
    const { name = '', uid = '' } = serviceaccount;
    const account = this.#reader.get<coreV1.ServiceAccount>(SERVICE_ACCOUNTS, namespace, name);
    if (account === undefined) throw new InvalidTokenError(notFound(SERVICE_ACCOUNTS, name).message);
    if (account.metadata.uid !== uid) {
      throw new InvalidTokenError(
        `service account UID (${account.metadata.uid}) does not match claim (${uid})`,
      );
    }
    if (this.#wasDeleted(account)) {
      throw new InvalidTokenError(`service account ${namespace}/${name} has been deleted`);
    }
    if (secret !== undefined) this.#checkBound('secrets', namespace, secret, 'secret UID', 'secret ref');
    if (pod !== undefined) this.#checkBound('pods', namespace, pod, 'pod UID', 'pod ref');
    else if (node !== undefined) this.#checkBound('nodes', '', node, 'node UID', 'node ref');
    const extra: Record<string, readonly string[]> = {};
    if (pod?.name !== undefined && pod.uid !== undefined) {
      extra['authentication.kubernetes.io/pod-name'] = [pod.name];
      extra['authentication.kubernetes.io/pod-uid'] = [pod.uid];
    }
    if (claims.jti !== undefined) extra[CREDENTIAL_ID_KEY] = [`JTI=${claims.jti}`];
    if (node?.name !== undefined) {
      extra['authentication.kubernetes.io/node-name'] = [node.name];
      if (node.uid !== undefined) extra['authentication.kubernetes.io/node-uid'] = [node.uid];
    }
    return {
      name: serviceAccountUserName(namespace, name),
      uid,
      groups: serviceAccountGroups(namespace),
      ...(Object.keys(extra).length === 0 ? {} : { extra }),
    };
  }

  #checkBound(
    resource: string,
    namespace: string,
    claim: ObjectClaim,
    what: string,
    claimName: string,
  ): void {
    const object = this.#reader.get<coreV1.Pod>({ group: '', resource }, namespace, claim.name ?? '');
    if (object === undefined) throw new InvalidTokenError(INVALIDATED);
    if (object.metadata.uid !== claim.uid) {
      throw new InvalidTokenError(
        `${what} (${object.metadata.uid}) does not match service account ${claimName} claim (${claim.uid})`,
      );
    }
    if (this.#wasDeleted(object)) throw new InvalidTokenError(INVALIDATED);
  }

  #wasDeleted(object: { readonly metadata: { readonly deletionTimestamp?: string } }): boolean {
    const { deletionTimestamp } = object.metadata;
    return (
      deletionTimestamp !== undefined &&
      Date.parse(deletionTimestamp) < this.#clock.now() - LEEWAY_SECONDS * 1000
    );
  }
}
