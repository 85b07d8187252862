/** Byte order of text, as Go sorts strings (equal to UTF-16 order outside of surrogate pairs). */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
