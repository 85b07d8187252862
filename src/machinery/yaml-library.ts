/**
 * The `yaml` package, loaded when the first YAML comes: its seventy modules cost every start 30 ms and 10 MB, and
 * most clients speak JSON and protobuf. Synchronously, because decoding is.
 */
import { createRequire } from 'node:module';

type YamlLibrary = typeof import('yaml');

const require = createRequire(import.meta.url);
let loaded: YamlLibrary | undefined;

export function yamlLibrary(): YamlLibrary {
  loaded ??= require('yaml') as YamlLibrary;
  return loaded;
}
