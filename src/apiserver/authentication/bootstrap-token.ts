/** Bootstrap tokens: `id.secret`, kept in a Secret of kube-system, for nodes that join (kubeadm's format). */
import { timingSafeEqual } from 'node:crypto';
import type { coreV1 } from '#api';
import type { Clock } from '#platform';
import type { CacheReader } from '../reader.ts';
import type { TokenAuthenticator, TokenIdentity } from './token-authenticator.ts';

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;
const SECRETS = { group: '', resource: 'secrets' };

export class BootstrapTokenAuthenticator implements TokenAuthenticator {
  readonly #clock: Clock;
  readonly #reader: CacheReader;
  readonly #audiences: readonly string[];

  constructor(options: {
    readonly clock: Clock;
    readonly reader: CacheReader;
    readonly audiences: readonly string[];
  }) {
    this.#clock = options.clock;
    this.#reader = options.reader;
    this.#audiences = options.audiences;
  }

  authenticateToken(token: string, audiences = this.#audiences): TokenIdentity | undefined {
    const [, id, secretPart] = TOKEN.exec(token) ?? [];
    if (id === undefined || secretPart === undefined) return undefined;
    const secret = this.#reader.get<coreV1.Secret>(SECRETS, 'kube-system', `bootstrap-token-${id}`);
    if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) return undefined;
    if (secret.type !== 'bootstrap.kubernetes.io/token') return undefined;
    const field = (name: string): string => Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8');
    if (!equalSecrets(field('token-secret'), secretPart) || field('token-id') !== id) return undefined;
    const expiration = field('expiration');
    // A time that cannot be read counts as past.
    if (expiration !== '' && !(Date.parse(expiration) > this.#clock.now())) return undefined;
    if (field('usage-bootstrap-authentication') !== 'true') return undefined;
    const extraGroups = field('auth-extra-groups')
      .split(',')
      .filter((group) => group !== '');
    if (!extraGroups.every((group) => GROUP.test(group))) return undefined;
    return {
      user: {
        name: `system:bootstrap:${id}`,
        groups: [...new Set(['system:bootstrappers', ...extraGroups])].sort(),
      },
      audiences: audiences.filter((audience) => this.#audiences.includes(audience)),
    };
  }
}

function equalSecrets(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
