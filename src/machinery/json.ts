/**
 * JSON bodies. `JSON.parse` does the work; Go's scanner is only imitated to word an error or to say where a key
 * stands twice, which `JSON.parse` does not tell.
 */
import { describeJsonSyntax, findDuplicateKeys } from './json-scanner.ts';

export interface ParsedDocument {
  readonly value: unknown;
  /** Paths of keys that stand twice in one object (`spec.replicas`), each once; empty unless asked for. */
  readonly duplicates: readonly string[];
}

/** The body is not JSON. The message is Go's: `invalid character '}' looking for beginning of value`. */
export class JsonSyntaxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'JsonSyntaxError';
  }
}

/** @throws JsonSyntaxError */
export function parseJson(
  input: Uint8Array | string,
  options: { readonly findDuplicates?: boolean } = {},
): ParsedDocument {
  const text = typeof input === 'string' ? input : decodeUtf8(input);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const message = describeJsonSyntax(text) ?? (cause instanceof Error ? cause.message : String(cause));
    throw new JsonSyntaxError(message);
  }
  if (options.findDuplicates !== true || countColons(text) === countKeys(value, 0))
    return { value, duplicates: [] };
  return { value, duplicates: findDuplicateKeys(text) };
}

function decodeUtf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/**
 * How many keys the text has: colons outside of strings. When the parsed value has as many, no key stood twice.
 * That costs a third of what looking at the keys themselves would, on every write there is.
 */
function countColons(text: string): number {
  let count = 0;
  const { length } = text;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code === COLON) count++;
    else if (code === QUOTE) {
      i = endOfString(text, i + 1);
    }
  }
  return count;
}

/** Position of the quote that ends the string whose content starts at `from`. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let first = at;
    while (first > from && text.charCodeAt(first - 1) === BACKSLASH) first--;
    // An even number of backslashes escape one another, not the quote.
    if ((at - first) % 2 === 0) return at;
  }
  return text.length;
}

/** Deeper than any decoder goes; what is below is not counted, so the slow way decides. */
const COUNT_DEPTH = 500;

function countKeys(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null || depth > COUNT_DEPTH) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    const items = value as readonly unknown[];
    for (let i = 0; i < items.length; i++) count += countKeys(items[i], depth + 1);
    return count;
  }
  const object = value as Readonly<Record<string, unknown>>;
  for (const key in object) {
    const child = object[key];
    count += typeof child === 'object' ? 1 + countKeys(child, depth + 1) : 1;
  }
  return count;
}
