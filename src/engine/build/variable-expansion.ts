/** Variables and quotes of Dockerfile arguments, which look like a shell's but are not run by one. */

export type Variables = ReadonlyMap<string, string>;

/** A variable that must be set is not. */
export class ExpansionError extends Error {
  override readonly name = 'ExpansionError';
}

class Reader {
  readonly text: string;
  position = 0;
  constructor(text: string) {
    this.text = text;
  }
  get done(): boolean {
    return this.position >= this.text.length;
  }
  peek(): string {
    return this.text[this.position] ?? '';
  }
  take(): string {
    return this.text[this.position++] ?? '';
  }
}

/** Reads `$name` or `${…}` after its `$`; a `$` that begins neither stays. */
function readVariable(reader: Reader, variables: Variables): string {
  if (reader.peek() !== '{') {
    const name = /^(?:[A-Za-z_]\w*|\d)/.exec(reader.text.slice(reader.position))?.[0];
    if (name === undefined) return '$';
    reader.position += name.length;
    return variables.get(name) ?? '';
  }
  reader.take();
  const name = /^\w*/.exec(reader.text.slice(reader.position))?.[0] ?? '';
  reader.position += name.length;
  const modifier = readModifier(reader);
  if (modifier === undefined) {
    if (reader.take() !== '}') throw new ExpansionError(`bad substitution in "${reader.text}"`);
    return variables.get(name) ?? '';
  }
  const word = readWord(reader, variables);
  return modified(name, modifier, word, variables);
}

/** `:-`, `-`, `:+`, `+`, `:?`, `?`. */
function readModifier(reader: Reader): string | undefined {
  const modifier = /^:?[-+?]/.exec(reader.text.slice(reader.position))?.[0];
  reader.position += modifier?.length ?? 0;
  return modifier;
}

/** The word of a modifier, up to its closing brace, itself expanded. */
function readWord(reader: Reader, variables: Variables): string {
  let word = '';
  while (!reader.done) {
    const character = reader.take();
    if (character === '}') return word;
    if (character === '$') word += readVariable(reader, variables);
    else if (character === '\\') word += reader.take();
    else word += character;
  }
  throw new ExpansionError(`unclosed substitution in "${reader.text}"`);
}

function modified(name: string, modifier: string, word: string, variables: Variables): string {
  const value = variables.get(name);
  const isSet = modifier.startsWith(':') ? (value ?? '') !== '' : value !== undefined;
  switch (modifier.at(-1)) {
    case '-':
      return isSet ? (value ?? '') : word;
    case '+':
      return isSet ? word : '';
    default:
      if (isSet) return value ?? '';
      throw new ExpansionError(`${name}: ${word === '' ? 'not set' : word}`);
  }
}

/** Expands variables and takes quotes and escapes away. Single quotes keep what is in them. */
export function expand(text: string, variables: Variables): string {
  return expandWords(text, variables, false)[0] ?? '';
}

/** Words separated by blanks outside of quotes, each expanded. */
export function splitWords(text: string, variables: Variables): readonly string[] {
  return expandWords(text, variables, true);
}

function expandWords(text: string, variables: Variables, splits: boolean): readonly string[] {
  const reader = new Reader(text);
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  while (!reader.done) {
    const character = reader.take();
    if (quote === "'") {
      if (character === "'") quote = '';
      else word += character;
      continue;
    }
    if (splits && quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (character === '\\') word += escaped(reader, quote);
    else if (character === '$') word += readVariable(reader, variables);
    else if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else word += character;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Within double quotes only `$`, `"` and the backslash itself are escaped. */
function escaped(reader: Reader, quote: string): string {
  if (reader.done) return '\\';
  const character = reader.take();
  return quote === '"' && !'$"\\'.includes(character) ? `\\${character}` : character;
}

/** Expands variables in a heredoc, where quotes are text. */
export function expandHeredoc(text: string, variables: Variables): string {
  const reader = new Reader(text);
  let out = '';
  while (!reader.done) {
    const character = reader.take();
    if (character === '\\' && (reader.peek() === '$' || reader.peek() === '\\')) out += reader.take();
    else if (character === '$') out += readVariable(reader, variables);
    else out += character;
  }
  return out;
}

/** `A=1 B="2 3"` → pairs; the old form `A rest of the line` is one pair. Undefined when neither. */
export function keyValues(
  text: string,
  variables: Variables,
): readonly (readonly [key: string, value: string])[] | undefined {
  const first = /^(?:"[^"]*"|'[^']*'|[^\s=]+)(=|\s+|$)/.exec(text);
  if (first === null) return undefined;
  if (first[1] !== '=') {
    const space = text.search(/\s/);
    return space === -1 ? undefined : [[text.slice(0, space), expand(text.slice(space).trim(), variables)]];
  }
  const pairs: (readonly [string, string])[] = [];
  for (const word of splitWords(text, variables)) {
    const equals = word.indexOf('=');
    if (equals <= 0) return undefined;
    pairs.push([word.slice(0, equals), word.slice(equals + 1)]);
  }
  return pairs;
}
