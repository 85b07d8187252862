/** Patterns of paths as Go's `filepath.Match` has them, and `**` for any number of folders. */

function segmentSource(segment: string): string {
  let source = '';
  for (let i = 0; i < segment.length; i++) {
    const character = segment[i] ?? '';
    if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '[') {
      const end = segment.indexOf(']', i + 2);
      if (end === -1) source += '\\[';
      else {
        source += `[${segment
          .slice(i + 1, end)
          .replace(/^\^/, '^')
          .replaceAll('\\', '\\\\')}]`;
        i = end;
      }
    } else if (character === '\\' && i + 1 < segment.length) source += literal(segment[++i] ?? '');
    else source += literal(character);
  }
  return source;
}

const literal = (character: string): string => character.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

/** Of a whole relative path without a slash at either end. */
export function pathPattern(pattern: string): RegExp {
  const segments = pattern.split('/').filter((segment) => segment !== '' && segment !== '.');
  let source = '';
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1;
    if (segment === '**') source += isLast ? '.*' : '(?:[^/]+/)*';
    else source += `${segmentSource(segment)}${isLast ? '' : '/'}`;
  }
  return new RegExp(`^${source}$`, 's');
}

export const hasWildcard = (path: string): boolean => /[*?[]/.test(path);

/** Which paths of a context are left out: the rules of a `.dockerignore`, the last that speaks of a path wins. */
export class IgnoreRules {
  readonly #rules: readonly { readonly pattern: RegExp; readonly includes: boolean }[];

  constructor(text: string) {
    this.#rules = text
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const includes = line.startsWith('!');
        return { pattern: pathPattern((includes ? line.slice(1) : line).trim()), includes };
      });
  }

  /** `path` is relative to the context. A rule for a folder holds for everything in it. */
  ignores(path: string): boolean {
    const parts = path.split('/');
    const ancestors = parts.map((_, i) => parts.slice(0, i + 1).join('/'));
    let ignored = false;
    for (const { pattern, includes } of this.#rules) {
      if (ancestors.some((ancestor) => pattern.test(ancestor))) ignored = !includes;
    }
    return ignored;
  }
}
