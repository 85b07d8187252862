/** Users named by a trusted front proxy in headers: how the aggregation layer passes identities on. */
import { X509Certificate } from 'node:crypto';
import type { UserInfo } from '#machinery';
import type { Clock } from '#platform';
import type { Authenticator, Credentials } from './authenticator.ts';
import { issuedByOneOf, parseCertificates, subjectOf, valuesOf } from './client-certificate.ts';

export interface RequestHeaderOptions {
  readonly clock: Clock;
  readonly caPem: string;
  /** Common names of proxies that may speak for others; empty: any certificate of the authority. */
  readonly allowedNames?: readonly string[];
  readonly usernameHeaders?: readonly string[];
  readonly uidHeaders?: readonly string[];
  readonly groupHeaders?: readonly string[];
  readonly extraHeaderPrefixes?: readonly string[];
}

const lower = (names: readonly string[]): readonly string[] => names.map((name) => name.toLowerCase());

/** Keys of `extra` are percent-encoded in header names; what cannot be decoded stays as it is. */
function decodeExtraKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

export class RequestHeaderAuthenticator implements Authenticator {
  readonly #clock: Clock;
  readonly #authorities: readonly X509Certificate[];
  readonly #allowedNames: readonly string[];
  readonly #usernameHeaders: readonly string[];
  readonly #uidHeaders: readonly string[];
  readonly #groupHeaders: readonly string[];
  readonly #extraPrefixes: readonly string[];
  readonly #trusted = new WeakMap<
    Uint8Array,
    { readonly notBeforeMs: number; readonly notAfterMs: number } | false
  >();

  constructor(options: RequestHeaderOptions) {
    this.#clock = options.clock;
    this.#authorities = parseCertificates(options.caPem);
    this.#allowedNames = options.allowedNames ?? [];
    this.#usernameHeaders = lower(options.usernameHeaders ?? ['X-Remote-User']);
    this.#uidHeaders = lower(options.uidHeaders ?? ['X-Remote-Uid']);
    this.#groupHeaders = lower(options.groupHeaders ?? ['X-Remote-Group']);
    this.#extraPrefixes = lower(options.extraHeaderPrefixes ?? ['X-Remote-Extra-']);
  }

  async authenticate({ clientCertificate, headers }: Credentials): Promise<UserInfo | undefined> {
    if (clientCertificate === undefined || !this.#isTrustedProxy(clientCertificate)) return undefined;
    const first = (names: readonly string[]): string =>
      names.map((name) => valuesOf(headers[name])[0] ?? '').find((value) => value !== '') ?? '';
    const name = first(this.#usernameHeaders);
    if (name === '') return undefined;
    const uid = first(this.#uidHeaders);
    const extra = this.#extra(headers);
    return {
      name,
      ...(uid === '' ? {} : { uid }),
      groups: this.#groupHeaders.flatMap((header) => splitValues(headers[header])),
      ...(Object.keys(extra).length === 0 ? {} : { extra }),
    };
  }

  #isTrustedProxy(der: Uint8Array): boolean {
    let trust = this.#trusted.get(der);
    if (trust === undefined) {
      const certificate = new X509Certificate(der);
      const name = valuesOf(subjectOf(certificate)['CN']).at(-1) ?? '';
      trust =
        issuedByOneOf(certificate, this.#authorities) &&
        (this.#allowedNames.length === 0 || this.#allowedNames.includes(name))
          ? {
              notBeforeMs: certificate.validFromDate.getTime(),
              notAfterMs: certificate.validToDate.getTime(),
            }
          : false;
      this.#trusted.set(der, trust);
    }
    const now = this.#clock.now();
    return trust !== false && now >= trust.notBeforeMs && now <= trust.notAfterMs;
  }

  #extra(headers: Credentials['headers']): Record<string, readonly string[]> {
    const extra: Record<string, readonly string[]> = {};
    for (const prefix of this.#extraPrefixes) {
      for (const [header, value] of Object.entries(headers)) {
        if (!header.startsWith(prefix)) continue;
        const key = decodeExtraKey(header.slice(prefix.length));
        extra[key] = [...(extra[key] ?? []), ...splitValues(value)];
      }
    }
    return extra;
  }
}

/** Node joins repeated headers with `, `; a list is what came as one. */
const splitValues = (value: string | readonly string[] | undefined): readonly string[] =>
  valuesOf(value)
    .flatMap((text) => text.split(', '))
    .filter((text) => text !== '');
