import type { UserInfo } from '#machinery';

export interface Credentials {
  /** DER of the client certificate, when the TLS layer verified one against the client CA. */
  readonly clientCertificate?: Uint8Array;
  readonly bearerToken?: string;
  /** Names in lower case, as Node gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** URL path of the request; the few public ones may be asked without a credential. Absent: none is public. */
  readonly path?: string;
}

export interface Authenticator {
  /** Undefined: this one does not know. @throws StatusError 401 when the credential is known to be bad. */
  authenticate(credentials: Credentials): Promise<UserInfo | undefined>;
}
