/** Which file runs as a process of the cluster: its bundle when there is one that is true to the sources. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const PROCESS_ROLES = ['server', 'agent'] as const;

const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export interface ProcessBundle {
  readonly script: string;
  /** File with the JSON list of the sources that are in it. */
  readonly inputs: string;
}

export const processBundle = (role: string): ProcessBundle => ({
  script: fileOf(`.cache/bundle/${role}-process.mjs`),
  inputs: fileOf(`.cache/bundle/${role}-process.inputs.json`),
});

/** Whether all sources are there and none is newer than the bundle. */
export function isFresh({ script, inputs }: ProcessBundle): boolean {
  try {
    const bundledMs = statSync(script).mtimeMs;
    const files = JSON.parse(readFileSync(inputs, 'utf8')) as readonly string[];
    return files.every((file) => statSync(file).mtimeMs <= bundledMs);
  } catch {
    return false;
  }
}

export function processScript(role: string): string {
  const bundle = processBundle(role);
  return isFresh(bundle) ? bundle.script : fileOf(`src/cluster/${role}-process.ts`);
}

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
