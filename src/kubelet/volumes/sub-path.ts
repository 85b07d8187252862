/**
 * The place of a `subPath` inside its volume. The volume's content is the containers' own, so every symbolic link on
 * the way is resolved and must stay inside; what does not exist is made.
 */
import type { Files } from '#platform';

/** Links followed on one way before it counts as a loop, as Linux does. */
const MAX_LINKS = 40;

/** @throws Error when the path leaves the volume. */
export async function resolveSubPath(files: Files, volume: string, subPath: string): Promise<string> {
  if (subPath.startsWith('/')) throw new Error(`error SubPath \`${subPath}\` must not be an absolute path`);
  if (subPath.split('/').includes('..')) {
    throw new Error(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
  }
  const root = await files.stat(volume);
  const pending = subPath.split('/').filter((part) => part !== '' && part !== '.');
  const done: string[] = [];
  let links = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    if (part === '..') {
      if (done.pop() === undefined) throw escapes(subPath);
      continue;
    }
    const here = [volume, ...done, part].join('/');
    const stat = await files.stat(here, { follow: false });
    if (stat === undefined) {
      await files.mkdir(here, { mode: root?.mode ?? 0o755 });
    } else if (stat.kind === 'symlink') {
      if (++links > MAX_LINKS) throw escapes(subPath);
      const target = await files.readlink(here);
      if (target.startsWith('/')) throw escapes(subPath);
      pending.unshift(...target.split('/').filter((piece) => piece !== '' && piece !== '.'));
      continue;
    }
    done.push(part);
  }
  return [volume, ...done].join('/');
}

const escapes = (subPath: string): Error => new Error(`subPath "${subPath}" leaves the volume`);
