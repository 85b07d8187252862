/**
 * The `yaml` package, loaded when the first YAML comes: its seventy modules cost every start 30 ms and 10 MB, and
 * most clients speak JSON and protobuf. Synchronously, because decoding is.
 */
import { createRequire } from 'node:module';
import type * as YamlLibrary from 'yaml';

const require = createRequire(import.meta.url);
let loaded: typeof YamlLibrary | undefined;

export function yamlLibrary(): typeof YamlLibrary {
  loaded ??= require('yaml') as typeof YamlLibrary;
  return loaded;
}
