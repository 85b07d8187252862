/**
 * What stands in a PKCS #10 request, and certificates made from it. Loading the X.509 library takes tens of
 * milliseconds, so this file is imported when the first request comes that needs it.
 */
// The X.509 library's dependency injection wants it first.
import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { Random, WallTimeMs } from '#platform';
import type { RequestedNames } from './signer-rules.ts';

const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';

export interface SigningAuthority {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface ReadRequest {
  readonly names: RequestedNames;
  readonly request: x509.Pkcs10CertificateRequest;
}

/** @throws Error when it is not a request, or not signed by the key in it. */
export async function readRequest(pem: string): Promise<ReadRequest> {
  const request = new x509.Pkcs10CertificateRequest(pem);
  if (!(await request.verify(webcrypto)))
    throw new Error('the signature of the certificate request is wrong');
  const alternatives = alternativeNames(request)?.names.items ?? [];
  const has = (type: x509.GeneralName['type']): boolean => alternatives.some((name) => name.type === type);
  const names: RequestedNames = {
    commonName: request.subjectName.getField('CN')[0] ?? '',
    organizations: request.subjectName.getField('O'),
    hasDns: has('dns'),
    hasIp: has('ip'),
    hasEmail: has('email'),
    hasUri: has('url'),
  };
  return { names, request };
}

function alternativeNames(
  request: x509.Pkcs10CertificateRequest,
): x509.SubjectAlternativeNameExtension | undefined {
  const extension = request.getExtension(SUBJECT_ALTERNATIVE_NAME);
  return extension instanceof x509.SubjectAlternativeNameExtension ? extension : undefined;
}

const KEY_USAGES: Readonly<Record<string, x509.KeyUsageFlags>> = {
  signing: x509.KeyUsageFlags.digitalSignature,
  'digital signature': x509.KeyUsageFlags.digitalSignature,
  'content commitment': x509.KeyUsageFlags.nonRepudiation,
  'key encipherment': x509.KeyUsageFlags.keyEncipherment,
  'key agreement': x509.KeyUsageFlags.keyAgreement,
  'data encipherment': x509.KeyUsageFlags.dataEncipherment,
  'cert sign': x509.KeyUsageFlags.keyCertSign,
  'crl sign': x509.KeyUsageFlags.cRLSign,
  'encipher only': x509.KeyUsageFlags.encipherOnly,
  'decipher only': x509.KeyUsageFlags.decipherOnly,
};

const EXTENDED_USAGES: Readonly<Record<string, string>> = {
  any: '2.5.29.37.0',
  'server auth': x509.ExtendedKeyUsage.serverAuth,
  'client auth': x509.ExtendedKeyUsage.clientAuth,
  'code signing': x509.ExtendedKeyUsage.codeSigning,
  'email protection': x509.ExtendedKeyUsage.emailProtection,
  's/mime': x509.ExtendedKeyUsage.emailProtection,
  'ipsec end system': '1.3.6.1.5.5.7.3.5',
  'ipsec tunnel': '1.3.6.1.5.5.7.3.6',
  'ipsec user': '1.3.6.1.5.5.7.3.7',
  timestamping: x509.ExtendedKeyUsage.timeStamping,
  'ocsp signing': x509.ExtendedKeyUsage.ocspSigning,
  'microsoft sgc': '1.3.6.1.4.1.311.10.3.3',
  'netscape sgc': '2.16.840.1.113730.4.1',
};

function usageExtensions(usages: readonly string[]): readonly x509.Extension[] {
  const [first, ...rest] = usages.map((usage) => KEY_USAGES[usage]).filter((flag) => flag !== undefined);
  const extended = usages.map((usage) => EXTENDED_USAGES[usage]).filter((oid) => oid !== undefined);
  return [
    ...(first === undefined
      ? []
      : [
          new x509.KeyUsagesExtension(
            rest.reduce((all, flag) => all | flag, first),
            true,
          ),
        ]),
    ...(extended.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...new Set(extended)])]),
  ];
}

type SigningAlgorithm =
  | { readonly name: 'ECDSA'; readonly namedCurve: string; readonly hash: string }
  | { readonly name: 'RSASSA-PKCS1-v1_5'; readonly hash: string };

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

async function loadKey(keyPem: string): Promise<{ key: webcrypto.CryptoKey; algorithm: SigningAlgorithm }> {
  const node = createPrivateKey(keyPem);
  const curve = CURVES[node.asymmetricKeyDetails?.namedCurve ?? ''];
  const algorithm: SigningAlgorithm =
    node.asymmetricKeyType === 'ec' && curve !== undefined
      ? { name: 'ECDSA', namedCurve: curve, hash: 'SHA-256' }
      : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const der = node.export({ type: 'pkcs8', format: 'der' });
  const key = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
  return { key, algorithm };
}

export interface IssueOptions {
  readonly authority: SigningAuthority;
  readonly usages: readonly string[];
  readonly notBeforeMs: WallTimeMs;
  /** Cut off where the authority itself ends. */
  readonly notAfterMs: WallTimeMs;
  readonly random: Random;
}

/** A certificate with the subject, key and alternative names of the request, and nothing else of it. PEM. */
export async function issue(request: x509.Pkcs10CertificateRequest, options: IssueOptions): Promise<string> {
  const { authority, usages, notBeforeMs, notAfterMs, random } = options;
  const issuer = new x509.X509Certificate(authority.certPem);
  const endMs = Math.min(notAfterMs, issuer.notAfter.getTime());
  if (endMs <= notBeforeMs)
    throw new Error(`the signer has expired: NotAfter=${issuer.notAfter.toISOString()}`);
  const { key, algorithm } = await loadKey(authority.keyPem);
  const alternatives = alternativeNames(request);
  const serial = Buffer.from(random.bytes(16));
  serial[0] = (serial[0] ?? 0) & 0x7f;
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serial.toString('hex'),
      subject: request.subjectName.toJSON(),
      issuer: issuer.subjectName.toJSON(),
      notBefore: new Date(notBeforeMs),
      notAfter: new Date(endMs),
      signingAlgorithm: algorithm,
      publicKey: request.publicKey,
      signingKey: key,
      extensions: [
        ...usageExtensions(usages),
        new x509.BasicConstraintsExtension(false, undefined, true),
        await x509.AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto),
        ...(alternatives === undefined ? [] : [alternatives]),
      ],
    },
    webcrypto,
  );
  return `${certificate.toString('pem')}\n`;
}
