/**
 * `--runtime-config` as kube-apiserver reads it: `group/version=true`, `v1=true`, or for many at once `api/all`,
 * `api/beta`, `api/alpha`. Stable versions are always served.
 */
import { builtinResources } from '#api';
import { apiVersionOf } from '#machinery';

const STAGES: Readonly<Record<string, RegExp>> = {
  'api/all': /./,
  'api/beta': /^v\d+beta\d+$/,
  'api/alpha': /^v\d+alpha\d+$/,
};

/** What an entry names does not exist. */
export class RuntimeConfigError extends Error {
  constructor(entry: string) {
    super(`--runtime-config: "${entry}" names no API version: say api/all=true or a group/version=true`);
    this.name = 'RuntimeConfigError';
  }
}

/** Group versions served beyond the stable ones. Later entries win. @throws RuntimeConfigError */
export function enabledVersions(entries: readonly string[]): readonly string[] {
  const known = new Map(builtinResources.map((resource) => [apiVersionOf(resource), resource.version]));
  const enabled = new Set<string>();
  for (const entry of entries) {
    const [name = '', value = 'true'] = entry.split('=');
    const stage = STAGES[name];
    const named = [...known].filter(([groupVersion, version]) =>
      stage === undefined ? groupVersion === name : stage.test(version),
    );
    if (named.length === 0 || !['true', 'false'].includes(value)) throw new RuntimeConfigError(entry);
    for (const [groupVersion] of named) {
      if (value === 'true') enabled.add(groupVersion);
      else enabled.delete(groupVersion);
    }
  }
  return [...enabled];
}
