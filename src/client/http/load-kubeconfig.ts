import { parseYaml } from '#machinery';
import type { HttpEndpointOptions } from './http-endpoint.ts';

/** What a kubeconfig says about how to reach and sign in to the cluster of its current context. */
export type KubeconfigAccess = Pick<
  HttpEndpointOptions,
  'server' | 'ca' | 'clientCert' | 'clientKey' | 'token' | 'insecureSkipVerify' | 'serverName'
> & { readonly namespace?: string };

/** The kubeconfig lacks something or needs what is not supported here. */
export class KubeconfigError extends Error {
  constructor(message: string) {
    super(`kubeconfig: ${message}`);
    this.name = 'KubeconfigError';
  }
}

interface Named {
  readonly name?: string;
}
interface File {
  readonly 'current-context'?: string;
  readonly contexts?: readonly (Named & {
    readonly context?: { readonly cluster?: string; readonly user?: string; readonly namespace?: string };
  })[];
  readonly clusters?: readonly (Named & { readonly cluster?: Readonly<Record<string, unknown>> })[];
  readonly users?: readonly (Named & { readonly user?: Readonly<Record<string, unknown>> })[];
}

/**
 * Reads a kubeconfig's text. Credentials must be inline (`…-data`, `token`): reading files and running `exec` plugins
 * is the caller's.
 *
 * @throws KubeconfigError
 */
export function loadKubeconfig(text: string, options: { readonly context?: string } = {}): KubeconfigAccess {
  const file = parseYaml(text).value as File | null;
  const contextName = options.context ?? file?.['current-context'] ?? '';
  const context = named(file?.contexts, contextName, 'context').context ?? {};
  const cluster = named(file?.clusters, context.cluster ?? '', 'cluster').cluster ?? {};
  const user = named(file?.users, context.user ?? '', 'user').user ?? {};
  for (const field of ['exec', 'auth-provider', 'client-certificate', 'client-key', 'tokenFile']) {
    if (user[field] !== undefined)
      throw new KubeconfigError(`user ${JSON.stringify(context.user)}: ${field} is not supported`);
  }
  const server = stringField(cluster, 'server');
  if (server === undefined)
    throw new KubeconfigError(`cluster ${JSON.stringify(context.cluster)} has no server`);
  return {
    server,
    ...optional('ca', decoded(cluster, 'certificate-authority-data')),
    ...optional('clientCert', decoded(user, 'client-certificate-data')),
    ...optional('clientKey', decoded(user, 'client-key-data')),
    ...optional('token', stringField(user, 'token')),
    ...optional('serverName', stringField(cluster, 'tls-server-name')),
    ...optional('namespace', context.namespace),
    ...(cluster['insecure-skip-tls-verify'] === true ? { insecureSkipVerify: true } : {}),
  };
}

function named<T extends Named>(list: readonly T[] | undefined, name: string, what: string): T {
  const found = list?.find((entry) => entry.name === name);
  if (found === undefined) throw new KubeconfigError(`no ${what} named ${JSON.stringify(name)}`);
  return found;
}

function stringField(object: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const value = object[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function decoded(object: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const value = stringField(object, field);
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8');
}

const optional = <K extends string>(name: K, value: string | undefined): { readonly [P in K]?: string } =>
  value === undefined ? {} : ({ [name]: value } as { readonly [P in K]?: string });
