/** Makes service account tokens and publishes the keys that verify them. */
import type { Clock, Random } from '#platform';
import type { ObjectClaim, ServiceAccountClaims } from './service-account-claims.ts';
import { serviceAccountUserName } from './service-account-claims.ts';
import type { SigningKey, VerificationKey } from './token-keys.ts';

export interface TokenSubject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly pod?: ObjectClaim;
  readonly secret?: ObjectClaim;
  readonly node?: ObjectClaim;
}

export interface ServiceAccountTokenIssuerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly issuer: string;
  readonly signingKey: SigningKey;
  readonly verificationKeys: readonly VerificationKey[];
  /** Host and port under which clients reach the API server, for `jwks_uri`. */
  readonly externalAddress: string;
}

/** A document of OIDC discovery, ready to be sent. */
export interface DiscoveryDocument {
  readonly path: string;
  readonly contentType: string;
  readonly cacheControl: string;
  readonly body: string;
}

export const OPENID_CONFIGURATION_PATH = '/.well-known/openid-configuration';
export const JWKS_PATH = '/openid/v1/jwks';
const CACHE_CONTROL = 'public, max-age=3600';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export class ServiceAccountTokenIssuer {
  readonly #options: ServiceAccountTokenIssuerOptions;
  readonly #header: string;

  constructor(options: ServiceAccountTokenIssuerOptions) {
    this.#options = options;
    this.#header = encode({ alg: options.signingKey.algorithm, kid: options.signingKey.keyId });
  }

  /** A signed token. `warnAfterSeconds`: from when on its use counts as stale. */
  async issue(
    subject: TokenSubject,
    terms: {
      readonly audiences: readonly string[];
      readonly expirationSeconds: number;
      readonly warnAfterSeconds?: number;
    },
  ): Promise<string> {
    const { clock, random, issuer, signingKey } = this.#options;
    const now = Math.floor(clock.now() / 1000);
    const { namespace, name, uid, pod, secret, node } = subject;
    const claims: ServiceAccountClaims = {
      aud: terms.audiences,
      exp: now + terms.expirationSeconds,
      iat: now,
      iss: issuer,
      jti: random.uuid(),
      'kubernetes.io': {
        namespace,
        ...(node === undefined ? {} : { node }),
        ...(pod === undefined ? {} : { pod }),
        ...(secret === undefined ? {} : { secret }),
        serviceaccount: { name, uid },
        ...(terms.warnAfterSeconds === undefined ? {} : { warnafter: now + terms.warnAfterSeconds }),
      },
      nbf: now,
      sub: serviceAccountUserName(namespace, name),
    };
    const data = `${this.#header}.${encode(claims)}`;
    return `${data}.${(await signingKey.sign(data)).toString('base64url')}`;
  }

  /** OpenID Provider Metadata as far as those who verify tokens need it (OIDC discovery 1.0). */
  openIdConfiguration(): DiscoveryDocument {
    const { issuer, verificationKeys, externalAddress } = this.#options;
    return {
      path: OPENID_CONFIGURATION_PATH,
      contentType: 'application/json',
      cacheControl: CACHE_CONTROL,
      body: JSON.stringify({
        issuer,
        jwks_uri: `https://${externalAddress}${JWKS_PATH}`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [
          ...new Set(verificationKeys.map((key) => key.algorithm)),
        ].sort(),
      }),
    };
  }

  /** RFC 7517. */
  jsonWebKeySet(): DiscoveryDocument {
    return {
      path: JWKS_PATH,
      contentType: 'application/jwk-set+json',
      cacheControl: CACHE_CONTROL,
      body: JSON.stringify({ keys: this.#options.verificationKeys.map((key) => key.toJsonWebKey()) }),
    };
  }
}
