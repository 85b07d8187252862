/** Keys that sign and verify service account tokens: RSA (RS256) or EC on P-256, P-384, P-521. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

export type TokenAlgorithm = 'RS256' | 'ES256' | 'ES384' | 'ES512';

const HASHES: Readonly<Record<TokenAlgorithm, string>> = {
  RS256: 'sha256',
  ES256: 'sha256',
  ES384: 'sha384',
  ES512: 'sha512',
};
const EC_ALGORITHMS: Readonly<Record<string, TokenAlgorithm | undefined>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
};

function algorithmOf(key: KeyObject): TokenAlgorithm {
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  const algorithm = EC_ALGORITHMS[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (algorithm === undefined) {
    throw new Error('a service account key must be RSA, or EC on the curve P-256, P-384 or P-521');
  }
  return algorithm;
}

/** The hash of the public key, so that the id of a key says nothing of use and follows from the key alone. */
const keyIdOf = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url');

export interface VerificationKey {
  readonly keyId: string;
  readonly algorithm: TokenAlgorithm;
  /** Blocks for some 30 µs (RSA): results are worth keeping. */
  verify(data: string, signature: Uint8Array): boolean;
  /** RFC 7517, in the order upstream prints it. */
  toJsonWebKey(): object;
}

export interface SigningKey {
  readonly keyId: string;
  readonly algorithm: TokenAlgorithm;
  /**
   * Off the main thread where it takes about a millisecond (RSA, the large curves). On P-256 it takes less than the way
   * to another thread and back, and done here it is done in the order asked: a simulation can be had again.
   */
  sign(data: string): Promise<Buffer>;
}

/** From a public key, or the public part of a private one. */
export function verificationKey(pem: string): VerificationKey {
  const key = createPublicKey(pem);
  const algorithm = algorithmOf(key);
  const keyId = keyIdOf(key);
  return {
    keyId,
    algorithm,
    verify: (data, signature) =>
      verify(HASHES[algorithm], Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }, signature),
    toJsonWebKey() {
      const { kty, crv, n, e, x, y } = key.export({ format: 'jwk' });
      const common = { use: 'sig', kty, kid: keyId };
      return kty === 'RSA' ? { ...common, alg: algorithm, n, e } : { ...common, crv, alg: algorithm, x, y };
    },
  };
}

export function signingKey(pem: string): SigningKey {
  const key = createPrivateKey(pem);
  const algorithm = algorithmOf(key);
  const hash = HASHES[algorithm];
  const options = { key, dsaEncoding: 'ieee-p1363' } as const;
  return {
    keyId: keyIdOf(createPublicKey(pem)),
    algorithm,
    async sign(data) {
      if (algorithm === 'ES256') return sign(hash, Buffer.from(data), options);
      const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
      sign(hash, Buffer.from(data), options, (error, signature) =>
        error === null ? resolve(signature) : reject(error),
      );
      return promise;
    },
  };
}
