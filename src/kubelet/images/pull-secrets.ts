/** Registry credentials from a pod's `imagePullSecrets`. */
import type { coreV1 } from '#api';
import type { RegistryAuth } from '#cri';
import { parseImageName } from './image-name.ts';

interface DockerAuth {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** The credentials of the most specific entry for the image's registry; undefined when none fits. */
export function credentialsFor(image: string, secrets: readonly coreV1.Secret[]): RegistryAuth | undefined {
  const name = parseImageName(image);
  if (name === undefined) return undefined;
  const place = `${name.registry}/${name.path}`;
  let best: { readonly length: number; readonly auth: RegistryAuth } | undefined;
  for (const [server, auth] of secrets.flatMap(entriesOf)) {
    const prefix = normalizeServer(server);
    if (!matches(prefix, place) || (best !== undefined && best.length >= prefix.length)) continue;
    best = { length: prefix.length, auth: toRegistryAuth(auth) };
  }
  return best?.auth;
}

function entriesOf(secret: coreV1.Secret): readonly (readonly [string, DockerAuth])[] {
  const modern = secret.data?.['.dockerconfigjson'];
  const legacy = secret.data?.['.dockercfg'];
  try {
    if (modern !== undefined) {
      const { auths = {} } = JSON.parse(decode(modern)) as { auths?: Record<string, DockerAuth> };
      return Object.entries(auths);
    }
    return legacy === undefined
      ? []
      : Object.entries(JSON.parse(decode(legacy)) as Record<string, DockerAuth>);
  } catch {
    // A broken secret must not stop a pull that may succeed without it.
    return [];
  }
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString();

function normalizeServer(server: string): string {
  const bare = server
    .replace(/^https?:\/\//, '')
    .replace(/\/(v1|v2)\/?$/, '')
    .replace(/\/$/, '');
  return bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? 'docker.io' : bare;
}

/** `*.example.com` matches one label per star. */
function matches(pattern: string, place: string): boolean {
  const [patternHost = '', ...patternPath] = pattern.split('/');
  const [host = '', ...path] = place.split('/');
  const labels = host.split('.');
  const wanted = patternHost.split('.');
  if (labels.length !== wanted.length) return false;
  if (!wanted.every((label, i) => label === '*' || label === labels[i])) return false;
  return path.join('/').startsWith(patternPath.join('/'));
}

function toRegistryAuth(auth: DockerAuth): RegistryAuth {
  const [username = '', ...rest] = auth.auth === undefined ? [] : decode(auth.auth).split(':');
  const user = auth.username ?? username;
  return {
    ...(user === '' ? {} : { username: user, password: auth.password ?? rest.join(':') }),
    ...(auth.identitytoken === undefined ? {} : { identityToken: auth.identitytoken }),
    ...(auth.registrytoken === undefined ? {} : { registryToken: auth.registrytoken }),
  };
}
