/** Image references by the grammar of `distribution/reference`: `[registry/]path[:tag][@digest]`. */

const PATH_PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const DOMAIN_PART = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = `(?:${DOMAIN_PART}(?:\\.${DOMAIN_PART})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?`;
const REFERENCE = new RegExp(
  `^(?:(${DOMAIN})/)?(${PATH_PART}(?:/${PATH_PART})*)(?::([\\w][\\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);
const DEFAULT_REGISTRY = 'docker.io';

export interface ImageName {
  /** `docker.io` when the reference names none. */
  readonly registry: string;
  /** With `library/` for official images of the default registry. */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** Undefined when the text is not an image reference. */
export function parseImageName(text: string): ImageName | undefined {
  const match = REFERENCE.exec(text);
  if (match === null) return undefined;
  const [, domain, path = '', tag, digest] = match;
  // The first part is a registry only if it looks like a host; else it belongs to the path.
  const isHost = domain !== undefined && (/[.:]/.test(domain) || domain === 'localhost');
  const fullPath = domain === undefined || isHost ? path : `${domain}/${path}`;
  if (fullPath !== fullPath.toLowerCase()) return undefined;
  const registry = isHost ? domain : DEFAULT_REGISTRY;
  const official = registry === DEFAULT_REGISTRY && !fullPath.includes('/');
  return { registry, path: official ? `library/${fullPath}` : fullPath, tag, digest };
}

/** The name with `:latest` when it has neither tag nor digest; undefined when it is no image reference. */
export function withDefaultTag(text: string): string | undefined {
  const name = parseImageName(text);
  if (name === undefined) return undefined;
  return name.tag === undefined && name.digest === undefined ? `${text}:latest` : text;
}
