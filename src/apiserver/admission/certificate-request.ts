import { Pkcs10CertificateRequest } from '@peculiar/x509';

export interface RequestedSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

/**
 * The subject of a certificate signing request: PEM, in base64 as the API carries bytes.
 * @throws Error when it is not a PEM `CERTIFICATE REQUEST`, or what is in it cannot be read.
 */
export function requestedSubject(requestBase64: string): RequestedSubject {
  const pem = Buffer.from(requestBase64, 'base64').toString('latin1');
  const body = /-----BEGIN CERTIFICATE REQUEST-----([\s\S]+?)-----END CERTIFICATE REQUEST-----/.exec(
    pem,
  )?.[1];
  if (body === undefined) throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const { subjectName } = new Pkcs10CertificateRequest(Buffer.from(body, 'base64'));
  return {
    commonName: subjectName.getField('CN').at(-1) ?? '',
    organizations: subjectName.getField('O'),
  };
}
