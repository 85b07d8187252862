/** Service account tokens of projected volumes, asked for once and again when four fifths of their life are over. */
import type { authenticationV1, coreV1 } from '#api';
import { type Client, resources } from '#client';
import type { Clock } from '#platform';
import { type Pod, podName, podNamespace, podUid } from '../pods/pod-spec.ts';

export interface Token {
  readonly text: string;
  /** Wall time after which another one should be fetched. */
  readonly refreshAtMs: number;
}

const DEFAULT_SECONDS = 3600;
const REFRESH_AT = 0.8;
/** A token is never used longer than this, whatever it says. */
const MAX_AGE_MS = 24 * 3_600_000;

export class TokenSource {
  readonly #client: Client;
  readonly #clock: Clock;
  /** By pod uid, then by audience and lifetime. */
  readonly #tokens = new Map<string, Map<string, Token>>();

  constructor(options: { readonly client: Client; readonly clock: Clock }) {
    this.#client = options.client;
    this.#clock = options.clock;
  }

  /** @throws StatusError */
  async get(pod: Pod, source: coreV1.ServiceAccountTokenProjection): Promise<Token> {
    const { audience, expirationSeconds = DEFAULT_SECONDS } = source;
    const key = `${audience ?? ''} ${expirationSeconds}`;
    const uid = podUid(pod);
    const known = this.#tokens.get(uid) ?? new Map<string, Token>();
    this.#tokens.set(uid, known);
    const held = known.get(key);
    if (held !== undefined && this.#clock.now() < held.refreshAtMs) return held;
    const askedMs = this.#clock.now();
    const { status } = await this.#client
      .resource(resources.serviceAccounts, podNamespace(pod))
      .createSubresource<authenticationV1.TokenRequest>(pod.spec.serviceAccountName ?? 'default', 'token', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: {},
        spec: {
          audiences: audience === undefined ? [] : [audience],
          expirationSeconds,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: podName(pod), uid },
        },
      });
    const lifeMs = Math.min(Date.parse(status?.expirationTimestamp ?? '') - askedMs || 0, MAX_AGE_MS);
    const token = { text: status?.token ?? '', refreshAtMs: askedMs + lifeMs * REFRESH_AT };
    known.set(key, token);
    return token;
  }

  forget(uid: string): void {
    this.#tokens.delete(uid);
  }
}
