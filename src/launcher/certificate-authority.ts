/**
 * A certificate authority: makes ECDSA P-256 keys and signs certificates for them.
 * Loading the X.509 library takes tens of milliseconds, so only what signs imports this file.
 */
// The X.509 library's dependency injection wants it first.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { Clock, Random } from '#platform';
import type { KeyAndCertificate } from './pki.ts';

const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const CA_LIFETIME_MS = 10 * 365 * 86_400_000;
/** Leaves live as long as the authority: a cluster is short-lived or re-made, and nothing rotates them yet. */
const LEAF_LIFETIME_MS = CA_LIFETIME_MS;
/** Clocks of other machines may be behind. */
const BACKDATE_MS = 5 * 60_000;

export interface LeafRequest {
  readonly commonName: string;
  /** Groups, for a client certificate. */
  readonly organizations?: readonly string[];
  readonly usages: readonly ('client' | 'server')[];
  readonly dnsNames?: readonly string[];
  readonly ips?: readonly string[];
}

const pem = (label: string, der: ArrayBuffer): string => {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
};

async function newKeys(): Promise<{ readonly keys: webcrypto.CryptoKeyPair; readonly keyPem: string }> {
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  return { keys, keyPem: pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)) };
}

export interface AuthorityOptions {
  readonly clock: Clock;
  readonly random: Random;
}

/** A certificate authority that can sign. */
export class CertificateAuthority {
  readonly certPem: string;
  readonly keyPem: string;
  readonly #certificate: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  readonly #options: AuthorityOptions;

  private constructor(pair: KeyAndCertificate, key: webcrypto.CryptoKey, options: AuthorityOptions) {
    this.certPem = pair.certPem;
    this.keyPem = pair.keyPem;
    this.#certificate = new x509.X509Certificate(pair.certPem);
    this.#key = key;
    this.#options = options;
  }

  static async create(commonName: string, options: AuthorityOptions): Promise<CertificateAuthority> {
    const { keys, keyPem } = await newKeys();
    const now = options.clock.now();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        serialNumber: serialNumber(options.random),
        name: [{ CN: [commonName] }],
        notBefore: new Date(now - BACKDATE_MS),
        notAfter: new Date(now + CA_LIFETIME_MS),
        signingAlgorithm: KEY_ALGORITHM,
        keys,
        extensions: [
          new x509.BasicConstraintsExtension(true, undefined, true),
          new x509.KeyUsagesExtension(
            x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.cRLSign,
            true,
          ),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        ],
      },
      webcrypto,
    );
    return new CertificateAuthority(
      { certPem: `${certificate.toString('pem')}\n`, keyPem },
      keys.privateKey,
      options,
    );
  }

  static async load(pair: KeyAndCertificate, options: AuthorityOptions): Promise<CertificateAuthority> {
    const der = Buffer.from(pair.keyPem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    const key = await webcrypto.subtle.importKey('pkcs8', der, KEY_ALGORITHM, false, ['sign']);
    return new CertificateAuthority(pair, key, options);
  }

  async issue(request: LeafRequest): Promise<KeyAndCertificate> {
    const { keys, keyPem } = await newKeys();
    const now = this.#options.clock.now();
    const names: x509.JsonGeneralNames = [
      ...(request.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
      ...(request.ips ?? []).map((value) => ({ type: 'ip' as const, value })),
    ];
    const usage = { client: x509.ExtendedKeyUsage.clientAuth, server: x509.ExtendedKeyUsage.serverAuth };
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: serialNumber(this.#options.random),
        subject: [
          ...(request.organizations ?? []).map((name) => ({ O: [name] })),
          { CN: [request.commonName] },
        ],
        issuer: this.#certificate.subjectName.toJSON(),
        notBefore: new Date(now - BACKDATE_MS),
        notAfter: new Date(now + LEAF_LIFETIME_MS),
        signingAlgorithm: KEY_ALGORITHM,
        publicKey: keys.publicKey,
        signingKey: this.#key,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(
            x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
            true,
          ),
          new x509.ExtendedKeyUsageExtension(request.usages.map((name) => usage[name])),
          await x509.AuthorityKeyIdentifierExtension.create(this.#certificate, false, webcrypto),
          ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
        ],
      },
      webcrypto,
    );
    return { certPem: `${certificate.toString('pem')}\n`, keyPem };
  }
}

/** 16 random bytes, positive, as hex. */
function serialNumber(random: Random): string {
  const bytes = Buffer.from(random.bytes(16));
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('hex');
}
