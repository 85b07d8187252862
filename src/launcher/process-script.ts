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

/**
 * The heap's young generation in MiB. The server makes much that lives long right at its start, which a generation that
 * begins at 1 MiB copies over and over: 100 ms of the start. Under load the larger one lets requests die young. The
 * agent has little to do: a small one keeps it small.
 */
const HEAP_FLAGS: Readonly<Record<string, readonly string[]>> = {
  server: ['--min-semi-space-size=8', '--max-semi-space-size=32'],
  agent: ['--max-semi-space-size=4'],
};

/** What Node is started with for this process; its own arguments follow. */
export function processArguments(role: string): readonly string[] {
  const script = isFresh(bundled(role), BUNDLE_INPUTS)
    ? bundled(role)
    : fileOf(`src/cluster/${role}-process.ts`);
  return ['--disable-warning=ExperimentalWarning', ...(HEAP_FLAGS[role] ?? []), script];
}

/** `folder`: of the cluster's data. */
export const processEnvironment = (folder: string): NodeJS.ProcessEnv => ({
  ...process.env,
  NODE_COMPILE_CACHE: compileCacheFolder(`${folder}/compile-cache`),
  NODE_EXTRA_CA_CERTS: undefined,
  // glibc otherwise keeps a heap for each of Node's threads: 5 MB more, and no request is faster.
  MALLOC_ARENA_MAX: '2',
});

/**
 * Where compiled code is kept from start to start: beside the code it was compiled from, so that a new cluster does
 * not start cold; in `fallback` when k8ts is installed where its user cannot write.
 */
function compileCacheFolder(fallback: string): string {
  try {
    accessSync(fileOf('.'), constants.W_OK);
    return fileOf('.cache/compile-cache');
  } catch {
    return fallback;
  }
}
