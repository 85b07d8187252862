import type { UserInfo } from '#machinery';

/** What a good token proves. */
export interface TokenIdentity {
  readonly user: UserInfo;
  /** Those of the asked audiences that the token is for. */
  readonly audiences: readonly string[];
}

/** The token is of this authenticator's kind and is bad; the message may be shown to whoever sent it. */
export class InvalidTokenError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidTokenError';
  }
}

export interface TokenAuthenticator {
  /** Undefined: not a token of this kind. `audiences` absent: those of the API server. @throws InvalidTokenError */
  authenticateToken(token: string, audiences?: readonly string[]): TokenIdentity | undefined;
}
