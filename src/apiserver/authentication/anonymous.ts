import type { UserInfo } from '#machinery';
import type { Authenticator, Credentials } from './authenticator.ts';

const ANONYMOUS: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** Lets requests without a credential ask the given paths and those below them, as `system:anonymous`. */
export class AnonymousAuthenticator implements Authenticator {
  readonly #paths: readonly string[];

  constructor(options: { readonly paths: readonly string[] }) {
    this.#paths = options.paths;
  }

  async authenticate({ path }: Credentials): Promise<UserInfo | undefined> {
    if (path === undefined) return undefined;
    return this.#paths.some((open) => path === open || path.startsWith(`${open}/`)) ? ANONYMOUS : undefined;
  }
}
