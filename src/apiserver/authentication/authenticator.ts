import type { UserInfo } from '#machinery';

export interface Credentials {
  /** DER of the client certificate, when the TLS layer verified one against the client CA. */
  readonly clientCertificate?: Uint8Array;
  readonly bearerToken?: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export interface Authenticator {
  /** Undefined: this one does not know. @throws StatusError 401 when the credential is known to be bad. */
  authenticate(credentials: Credentials): Promise<UserInfo | undefined>;
}
