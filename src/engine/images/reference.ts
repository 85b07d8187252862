/**
 * Names of images as Docker and Kubernetes read them (https://github.com/distribution/reference): a missing registry
 * is `docker.io`, a missing organisation there is `library`, a missing tag is `latest`.
 */
import { isDigest } from '../content/media-types.ts';
import type { Digest } from '../content/media-types.ts';

export interface Reference {
  /** Host and port of the registry, `docker.io` for the default one. */
  readonly registry: string;
  /** Path below the registry: `library/busybox`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?$/;

export class ReferenceError extends Error {
  override readonly name = 'ReferenceError';
  constructor(text: string) {
    super(`couldn't parse image name "${text}": invalid reference format`);
  }
}

function splitRegistry(name: string): readonly [registry: string, path: string] {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  if (!isHost) return ['docker.io', slash === -1 ? `library/${name}` : name];
  const path = name.slice(slash + 1);
  const registry = first === 'index.docker.io' ? 'docker.io' : first;
  return [registry, registry === 'docker.io' && !path.includes('/') ? `library/${path}` : path];
}

/** @throws ReferenceError. Without tag and digest the tag is `latest`. */
export function parseReference(text: string): Reference {
  const [rest = '', digest, ...more] = text.split('@');
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  const name = colon === -1 ? rest : rest.slice(0, colon);
  const tag = colon === -1 ? undefined : rest.slice(colon + 1);
  const [registry, path] = splitRegistry(name);
  const wrong =
    more.length > 0 ||
    !PATH.test(path) ||
    !HOST.test(registry) ||
    (tag !== undefined && !TAG.test(tag)) ||
    (digest !== undefined && !isDigest(digest));
  if (wrong) throw new ReferenceError(text);
  if (digest !== undefined && isDigest(digest)) {
    return tag === undefined ? { registry, path, digest } : { registry, path, tag, digest };
  }
  return { registry, path, tag: tag ?? 'latest' };
}

export const repositoryName = ({ registry, path }: Reference): string => `${registry}/${path}`;

/** Full spelling: `docker.io/library/busybox:1.36`. A digest wins over a tag. */
export function referenceName(reference: Reference): string {
  const { digest, tag } = reference;
  const repository = repositoryName(reference);
  return digest === undefined ? `${repository}:${tag ?? 'latest'}` : `${repository}@${digest}`;
}
