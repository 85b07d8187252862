/** Users from client certificates: the common name is the user, each organization a group. */
import { createHash, X509Certificate } from 'node:crypto';
import { unauthorized, type UserInfo } from '#machinery';
import type { Clock } from '#platform';
import type { Authenticator, Credentials } from './authenticator.ts';

/** Key in a user's `extra` that names the credential used, for audit. */
export const CREDENTIAL_ID_KEY = 'authentication.kubernetes.io/credential-id';
/** Subject attribute that carries a user's uid; upstream's gate AllowParsingUserUIDFromCertAuth, on by default. */
const UID_OID = '1.3.6.1.4.1.57683.2';

/** All certificates of a PEM bundle. */
export function parseCertificates(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** Whether one of the authorities signed this certificate itself. */
export const issuedByOneOf = (
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
): boolean =>
  authorities.some(
    (authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey),
  );

/** Attributes of the subject by short name or OID; an attribute given several times is a list. */
export function subjectOf(
  certificate: X509Certificate,
): Readonly<Record<string, string | readonly string[] | undefined>> {
  // The printed subject cannot be split safely (values may hold newlines); the legacy object keeps values apart.
  return { ...certificate.toLegacyObject().subject };
}

export const valuesOf = (attribute: string | readonly string[] | undefined): readonly string[] =>
  attribute === undefined ? [] : typeof attribute === 'string' ? [attribute] : attribute;

interface Identity {
  readonly user: UserInfo | undefined;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface ClientCertificateOptions {
  readonly clock: Clock;
  /**
   * Authorities whose certificates name users. Absent: every certificate that TLS verified does. Needed when TLS also
   * accepts the front proxy's authority, whose certificates must not name users.
   */
  readonly authoritiesPem?: string;
}

export class ClientCertificateAuthenticator implements Authenticator {
  readonly #clock: Clock;
  readonly #authorities: readonly X509Certificate[] | undefined;
  /** By the DER buffer itself: a connection keeps it, so parsing happens once a connection. */
  readonly #identities = new WeakMap<Uint8Array, Identity>();

  constructor(options: ClientCertificateOptions) {
    this.#clock = options.clock;
    this.#authorities =
      options.authoritiesPem === undefined ? undefined : parseCertificates(options.authoritiesPem);
  }

  async authenticate(credentials: Credentials): Promise<UserInfo | undefined> {
    const der = credentials.clientCertificate;
    if (der === undefined) return undefined;
    let identity = this.#identities.get(der);
    if (identity === undefined) {
      identity = this.#identify(der);
      this.#identities.set(der, identity);
    }
    if (identity.user === undefined) return undefined;
    // TLS checked this at the handshake; a connection may outlive its certificate.
    const now = this.#clock.now();
    if (now < identity.notBeforeMs || now > identity.notAfterMs) throw unauthorized();
    return identity.user;
  }

  #identify(der: Uint8Array): Identity {
    const certificate = new X509Certificate(der);
    const validity = {
      notBeforeMs: certificate.validFromDate.getTime(),
      notAfterMs: certificate.validToDate.getTime(),
    };
    if (this.#authorities !== undefined && !issuedByOneOf(certificate, this.#authorities)) {
      return { user: undefined, ...validity };
    }
    const subject = subjectOf(certificate);
    // With several common names Go keeps the last.
    const name = valuesOf(subject['CN']).at(-1) ?? '';
    if (name === '') return { user: undefined, ...validity };
    const uids = valuesOf(subject[UID_OID]);
    if (uids.length > 1 || uids[0] === '') throw unauthorized();
    const fingerprint = createHash('sha256').update(der).digest('hex');
    const user: UserInfo = {
      name,
      ...(uids[0] === undefined ? {} : { uid: uids[0] }),
      groups: valuesOf(subject['O']),
      extra: { [CREDENTIAL_ID_KEY]: [`X509SHA256=${fingerprint}`] },
    };
    return { user, ...validity };
  }
}
