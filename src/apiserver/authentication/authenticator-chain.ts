/** The order in which credentials are looked at, as upstream: front proxy, certificate, token, then nobody. */
import { type UserInfo, unauthorized } from '#machinery';
import type { Authenticator, Credentials } from './authenticator.ts';
import { InvalidTokenError, type TokenAuthenticator, type TokenIdentity } from './token-authenticator.ts';

const AUTHENTICATED_GROUP = 'system:authenticated';

function asAuthenticated(user: UserInfo): UserInfo {
  if (user.groups.includes(AUTHENTICATED_GROUP) || user.groups.includes('system:unauthenticated'))
    return user;
  return { ...user, groups: [...user.groups, AUTHENTICATED_GROUP] };
}

export class AuthenticatorChain implements Authenticator {
  readonly #byConnection: readonly Authenticator[];
  readonly #byToken: TokenAuthenticator;
  readonly #anonymous: Authenticator | undefined;

  constructor(options: {
    readonly byConnection: readonly Authenticator[];
    readonly byToken: TokenAuthenticator;
    readonly anonymous?: Authenticator;
  }) {
    this.#byConnection = options.byConnection;
    this.#byToken = options.byToken;
    this.#anonymous = options.anonymous;
  }

  /**
   * Undefined when no credential was sent and the path is not public: answer 401.
   * @throws StatusError 401 for a bad token, even where anonymous requests are allowed.
   */
  async authenticate(credentials: Credentials): Promise<UserInfo | undefined> {
    for (const authenticator of this.#byConnection) {
      const user = await authenticator.authenticate(credentials);
      if (user !== undefined) return asAuthenticated(user);
    }
    if (credentials.bearerToken !== undefined && credentials.bearerToken !== '') {
      try {
        const identity = this.#byToken.authenticateToken(credentials.bearerToken);
        if (identity !== undefined) return identity.user;
      } catch (error) {
        if (!(error instanceof InvalidTokenError)) throw error;
      }
      throw unauthorized();
    }
    return this.#anonymous?.authenticate(credentials);
  }
}

/** Asks each kind of token; the user of a good one is in `system:authenticated`. */
export class TokenAuthenticatorChain implements TokenAuthenticator {
  readonly #members: readonly TokenAuthenticator[];

  constructor(members: readonly TokenAuthenticator[]) {
    this.#members = members;
  }

  authenticateToken(token: string, audiences?: readonly string[]): TokenIdentity | undefined {
    let problem: InvalidTokenError | undefined;
    for (const member of this.#members) {
      try {
        const identity = member.authenticateToken(token, audiences);
        if (identity !== undefined) return { ...identity, user: asAuthenticated(identity.user) };
      } catch (error) {
        if (!(error instanceof InvalidTokenError)) throw error;
        problem ??= error;
      }
    }
    if (problem !== undefined) throw problem;
    return undefined;
  }
}
