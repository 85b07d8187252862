import type { RegistryAuth } from '#cri';

export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Partial<Record<string, string>>>;
}

/** The first challenge of a `WWW-Authenticate` header (RFC 9110, section 11.6.1). */
export function parseChallenge(header: string): Challenge | undefined {
  const head = /^\s*([A-Za-z]+)\s*/.exec(header);
  if (head === null) return undefined;
  const parameters: Record<string, string> = {};
  for (const [, key = '', quoted, plain] of header
    .slice(head[0].length)
    .matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)) {
    parameters[key.toLowerCase()] = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '';
  }
  return { scheme: (head[1] ?? '').toLowerCase(), parameters };
}

export interface TokenQuestion {
  readonly realm: string;
  readonly service?: string;
  readonly scope: string;
}

/** How to ask for a token: GET, with a password when there is one; POST with an identity token (OAuth 2). */
export function tokenRequest(
  { realm, service, scope }: TokenQuestion,
  auth: RegistryAuth | undefined,
): {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
} {
  const parameters = new URLSearchParams({ ...(service === undefined ? {} : { service }), scope });
  if (auth?.identityToken !== undefined && auth.identityToken !== '') {
    parameters.set('grant_type', 'refresh_token');
    parameters.set('refresh_token', auth.identityToken);
    parameters.set('client_id', 'k8ts');
    const body = Buffer.from(parameters.toString());
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(body.length),
    };
    return { method: 'POST', url: realm, headers, body };
  }
  const separator = realm.includes('?') ? '&' : '?';
  const headers: Record<string, string> = {};
  if (auth?.username !== undefined && auth.username !== '') {
    headers.authorization = `Basic ${Buffer.from(`${auth.username}:${auth.password ?? ''}`).toString('base64')}`;
  }
  return { method: 'GET', url: `${realm}${separator}${parameters.toString()}`, headers };
}
