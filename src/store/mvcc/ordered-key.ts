const BEYOND_ASCII = /[^\0-\x7f]/;

/**
 * The key in a form whose `<` is the byte order of its UTF-8: one character per byte. JavaScript compares UTF-16
 * units, which puts U+1F600 before U+FF5E; UTF-8 puts it after. An ASCII key, nearly every key, is its own form.
 */
export function orderedKey(key: string): string {
  return BEYOND_ASCII.test(key) ? Buffer.from(key, 'utf8').toString('latin1') : key;
}
