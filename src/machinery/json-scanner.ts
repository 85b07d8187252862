/**
 * Reads JSON the way Go's `encoding/json` scanner does, byte after byte, to answer two questions `JSON.parse`
 * leaves open: what Go would say about a syntax error, and which keys stand twice.
 */

/** Go nests no deeper. */
const MAX_NESTING = 10_000;
/** As many duplicates as upstream reports. */
const MAX_DUPLICATES = 100;

class GoSyntaxError extends Error {}

interface Frame {
  readonly kind: 'object' | 'array';
  readonly keys: Set<string>;
  /** Step into the child at hand: `.name` or `[3]`. */
  step: string;
  index: number;
}

const SIMPLE_ESCAPES = '"\\/bfnrt';

class Scanner {
  readonly #text: string;
  #at = 0;
  readonly duplicates = new Set<string>();
  readonly #stack: Frame[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** @throws GoSyntaxError */
  scan(): void {
    this.#space();
    this.#value('looking for beginning of value');
    while (this.#stack.length > 0) this.#step();
    this.#space();
    if (this.#at < this.#text.length) this.#fail('after top-level value');
  }

  /** One element or member of the innermost container, or its end. */
  #step(): void {
    const frame = this.#stack.at(-1);
    if (frame === undefined) return;
    const close = frame.kind === 'object' ? '}' : ']';
    this.#space();
    const first = frame.index === 0;
    if (this.#peek() === close) {
      this.#at++;
      this.#stack.pop();
      return;
    }
    if (!first) {
      if (this.#peek() !== ',') {
        this.#fail(frame.kind === 'object' ? 'after object key:value pair' : 'after array element');
      }
      this.#at++;
      this.#space();
    }
    if (frame.kind === 'object') this.#member(frame);
    else frame.step = `[${frame.index}]`;
    frame.index++;
    this.#value('looking for beginning of value');
  }

  #member(frame: Frame): void {
    if (this.#peek() !== '"') {
      this.#fail('looking for beginning of object key string');
    }
    const key = this.#string();
    const path = this.#path(key);
    if (frame.keys.has(key) && this.duplicates.size < MAX_DUPLICATES) this.duplicates.add(path);
    frame.keys.add(key);
    frame.step = this.#stack.length === 1 ? key : `.${key}`;
    this.#space();
    if (this.#peek() !== ':') this.#fail('after object key');
    this.#at++;
    this.#space();
  }

  #path(key: string): string {
    const parents = this.#stack.slice(0, -1).map((frame) => frame.step);
    return parents.length === 0 ? key : `${parents.join('')}.${key}`;
  }

  #value(context: string): void {
    switch (this.#peek()) {
      case '{':
        this.#open('object');
        return;
      case '[':
        this.#open('array');
        return;
      case '"':
        this.#string();
        return;
      case 't':
        this.#literal('true');
        return;
      case 'f':
        this.#literal('false');
        return;
      case 'n':
        this.#literal('null');
        return;
      default:
        if (/[-0-9]/.test(this.#peek())) this.#number();
        else this.#fail(context);
    }
  }

  #open(kind: Frame['kind']): void {
    if (this.#stack.length >= MAX_NESTING) throw new GoSyntaxError('exceeded max depth');
    this.#at++;
    this.#stack.push({ kind, keys: new Set(), step: '', index: 0 });
  }

  #string(): string {
    const start = this.#at++;
    for (;;) {
      const char = this.#peek();
      if (char === '"') break;
      if (char === '') this.#end();
      if (char < ' ') this.#fail('in string literal');
      this.#at++;
      if (char === '\\') this.#escape();
    }
    this.#at++;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  #escape(): void {
    const char = this.#peek();
    if (char === 'u') {
      for (let i = 0; i < 4; i++) {
        this.#at++;
        if (!/^[0-9a-fA-F]$/.test(this.#peek())) this.#fail('in \\u hexadecimal character escape');
      }
    } else if (char === '' || !SIMPLE_ESCAPES.includes(char)) this.#fail('in string escape code');
    this.#at++;
  }

  #literal(word: string): void {
    for (let i = 0; i < word.length; i++, this.#at++) {
      if (this.#peek() !== word[i]) this.#fail(`in literal ${word} (expecting '${word[i]}')`);
    }
  }

  #digits(context: string): void {
    if (!/^[0-9]$/.test(this.#peek())) this.#fail(context);
    while (/^[0-9]$/.test(this.#peek())) this.#at++;
  }

  #number(): void {
    if (this.#peek() === '-') this.#at++;
    if (this.#peek() === '0') this.#at++;
    else this.#digits('in numeric literal');
    if (this.#peek() === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    if (/^[eE]$/.test(this.#peek())) {
      this.#at++;
      if (/^[+-]$/.test(this.#peek())) this.#at++;
      this.#digits('in exponent of numeric literal');
    }
  }

  #space(): void {
    while (/^[ \t\r\n]$/.test(this.#peek())) this.#at++;
  }

  /** '' at the end. */
  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #end(): never {
    throw new GoSyntaxError('unexpected end of JSON input');
  }

  #fail(context: string): never {
    if (this.#at >= this.#text.length) {
      // At the end Go tries a space, which is an error of its own in the middle of a literal.
      if (/^(in|after decimal) /.test(context)) throw new GoSyntaxError(`invalid character ' ' ${context}`);
      this.#end();
    }
    const char = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
    throw new GoSyntaxError(`invalid character ${quoteChar(char)} ${context}`);
  }
}

/** As Go quotes a character; it looks at one byte only, so what is not ASCII shows as its first byte. */
function quoteChar(char: string): string {
  if (char === "'") return `'\\''`;
  if (char === '"') return `'"'`;
  const byte = Buffer.from(char)[0] ?? 0;
  if (byte >= 0x80) return byte < 0xa0 ? `'\\u00${byte.toString(16)}'` : `'${String.fromCharCode(byte)}'`;
  const quoted = JSON.stringify(char).slice(1, -1);
  return `'${quoted.startsWith('\\u') ? `\\x${quoted.slice(4)}` : quoted}'`;
}

/** What Go says about a text that is not JSON; undefined when it finds nothing wrong. */
export function describeJsonSyntax(text: string): string | undefined {
  try {
    new Scanner(text).scan();
    return undefined;
  } catch (error) {
    if (error instanceof GoSyntaxError) return error.message;
    throw error;
  }
}

/** Paths of keys that stand twice in valid JSON, in the order they are met. */
export function findDuplicateKeys(text: string): readonly string[] {
  const scanner = new Scanner(text);
  scanner.scan();
  return [...scanner.duplicates];
}
