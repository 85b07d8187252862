/** Which file runs as a process of the cluster: its bundle when there is one that is true to the sources. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const PROCESS_ROLES = ['server', 'agent'] as const;

const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Written by `scripts/bundle.ts`: `<role>-process.mjs`, and what they load. */
export const BUNDLE_FOLDER = fileOf('.cache/bundle');
/** JSON list of the sources that are in them. */
export const BUNDLE_INPUTS = fileOf('.cache/bundle/inputs.json');

const bundled = (role: string): string => `${BUNDLE_FOLDER}/${role}-process.mjs`;

/** Whether all sources are there and none is newer than the bundle. */
export function isFresh(bundle: string, inputs: string): boolean {
  try {
    const bundledMs = statSync(bundle).mtimeMs;
    const files = JSON.parse(readFileSync(inputs, 'utf8')) as readonly string[];
    return files.every((file) => statSync(file).mtimeMs <= bundledMs);
  } catch {
    return false;
  }
}

export const hasFreshBundles = (): boolean =>
  PROCESS_ROLES.every((role) => isFresh(bundled(role), BUNDLE_INPUTS));

export const processScript = (role: string): string =>
  isFresh(bundled(role), BUNDLE_INPUTS) ? bundled(role) : fileOf(`src/cluster/${role}-process.ts`);

/**
 * Where compiled code is kept from start to start: beside the code it was compiled from, so that a new cluster does
 * not start cold; in `fallback` when k8ts is installed where its user cannot write.
 */
export function compileCacheFolder(fallback: string): string {
  try {
    accessSync(fileOf('.'), constants.W_OK);
    return fileOf('.cache/compile-cache');
  } catch {
    return fallback;
  }
}
