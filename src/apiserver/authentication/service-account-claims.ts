/** The payload of a service account token (KEP-1205 bound tokens, KEP-4193 with jti and node). */
export interface ServiceAccountClaims {
  readonly aud?: string | readonly string[];
  readonly exp?: number;
  readonly iat?: number;
  readonly iss?: string;
  readonly jti?: string;
  readonly 'kubernetes.io'?: {
    readonly namespace?: string;
    readonly node?: ObjectClaim;
    readonly pod?: ObjectClaim;
    readonly secret?: ObjectClaim;
    readonly serviceaccount?: ObjectClaim;
    /** Seconds since the epoch: past it the token still works, but should have been refreshed. */
    readonly warnafter?: number;
  };
  readonly nbf?: number;
  readonly sub?: string;
}

export interface ObjectClaim {
  readonly name?: string;
  readonly uid?: string;
}

export const SERVICE_ACCOUNT_PREFIX = 'system:serviceaccount:';

export const serviceAccountUserName = (namespace: string, name: string): string =>
  `${SERVICE_ACCOUNT_PREFIX}${namespace}:${name}`;

export const serviceAccountGroups = (namespace: string): readonly string[] => [
  'system:serviceaccounts',
  `system:serviceaccounts:${namespace}`,
];

/** Namespace and name of the service account that a user is, if it is one. */
export function splitServiceAccountUserName(
  user: string,
): { readonly namespace: string; readonly name: string } | undefined {
  if (!user.startsWith(SERVICE_ACCOUNT_PREFIX)) return undefined;
  const [namespace = '', name = '', ...rest] = user.slice(SERVICE_ACCOUNT_PREFIX.length).split(':');
  return namespace === '' || name === '' || rest.length > 0 ? undefined : { namespace, name };
}
