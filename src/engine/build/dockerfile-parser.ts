/**
 * From the text of a Dockerfile to instructions: https://docs.docker.com/reference/dockerfile. Knows lines,
 * continuations, comments, directives, flags and heredocs; what an instruction means is not its business.
 */
import { BuildError } from './build-error.ts';

export interface Heredoc {
  readonly name: string;
  readonly content: string;
  /** False when the name was quoted: then nothing in it is expanded. */
  readonly expands: boolean;
}

export interface Instruction {
  /** Upper case: `RUN`. */
  readonly name: string;
  /** What follows the name and the flags, continuations joined. */
  readonly text: string;
  /** `--from=build` → from: ['build']; a flag without a value has an empty one. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly heredocs: readonly Heredoc[];
  readonly file: string;
  /** Of its first line, counted from 1. */
  readonly line: number;
  /** As it was written, for people. */
  readonly original: string;
}

const NAMES = new Set(
  (
    'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER ' +
    'VOLUME WORKDIR'
  ).split(' '),
);

const WITH_HEREDOCS = new Set(['RUN', 'COPY', 'ADD']);
const WITH_FLAGS = new Set(['FROM', 'RUN', 'COPY', 'ADD', 'HEALTHCHECK']);
const HEREDOC = /<<(-?)\s*(["']?)([A-Za-z_]\w*)\2/g;

class Lines {
  readonly #lines: readonly string[];
  #next = 0;

  constructor(text: string) {
    this.#lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  }

  /** Number of the line that `take` gives next. */
  get number(): number {
    return this.#next + 1;
  }

  peek(): string | undefined {
    return this.#lines[this.#next];
  }

  take(): string | undefined {
    return this.#lines[this.#next++];
  }
}

const isComment = (line: string): boolean => /^\s*#/.test(line);

/** The character that joins lines, from a directive at the very top. */
function escapeDirective(lines: Lines): string {
  let escape = '\\';
  for (let line = lines.peek(); line !== undefined; line = lines.peek()) {
    const directive = /^\s*#\s*([a-z]+)\s*=\s*(.+?)\s*$/i.exec(line);
    if (directive === null) break;
    if (directive[1]?.toLowerCase() === 'escape') escape = directive[2] ?? '\\';
    lines.take();
  }
  return escape;
}

/** @throws BuildError with file and line. */
export function parseDockerfile(text: string, file: string): readonly Instruction[] {
  const lines = new Lines(text);
  const escape = escapeDirective(lines);
  const continues = new RegExp(`${escape === '\\' ? '\\\\' : escape}[ \\t]*$`);
  const instructions: Instruction[] = [];
  for (;;) {
    const line = lines.number;
    const first = lines.take();
    if (first === undefined) break;
    if (first.trim() === '' || isComment(first)) continue;
    instructions.push(readInstruction(first, line, lines, continues, file));
  }
  if (instructions.length === 0) throw new BuildError({ file, line: 1 }, 'the file has no instructions');
  return instructions;
}

function readInstruction(
  first: string,
  line: number,
  lines: Lines,
  continues: RegExp,
  file: string,
): Instruction {
  const written = [first];
  let joined = first;
  while (continues.test(joined)) {
    joined = joined.replace(continues, '');
    const next = takeContinuation(lines);
    if (next === undefined) break;
    written.push(next);
    joined += next;
  }
  const match = /^\s*(\S+)\s*([^]*)$/.exec(joined);
  const name = (match?.[1] ?? '').toUpperCase();
  if (!NAMES.has(name)) throw new BuildError({ file, line }, `unknown instruction: ${match?.[1] ?? ''}`);
  const { flags, rest } = WITH_FLAGS.has(name)
    ? takeFlags(match?.[2] ?? '')
    : { flags: new Map(), rest: match?.[2] ?? '' };
  const heredocs = WITH_HEREDOCS.has(name) ? readHeredocs(rest, lines, { file, line }, written) : [];
  return { name, text: rest.trim(), flags, heredocs, file, line, original: written.join('\n').trim() };
}

/** Comments and empty lines between continued lines are not there. */
function takeContinuation(lines: Lines): string | undefined {
  for (;;) {
    const line = lines.take();
    if (line === undefined) return undefined;
    if (line.trim() !== '' && !isComment(line)) return line;
  }
}

function takeFlags(text: string): {
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly rest: string;
} {
  const flags = new Map<string, readonly string[]>();
  let rest = text.trimStart();
  for (;;) {
    const match = /^--([a-z][a-z-]*)(?:=("(?:[^"\\]|\\.)*"|\S*))?(?:\s+|$)/.exec(rest);
    if (match === null) return { flags, rest };
    const name = match[1] ?? '';
    const value = (match[2] ?? '').replace(/^"(.*)"$/, '$1');
    flags.set(name, [...(flags.get(name) ?? []), value]);
    rest = rest.slice(match[0].length);
  }
}

function readHeredocs(
  text: string,
  lines: Lines,
  at: { readonly file: string; readonly line: number },
  written: string[],
): readonly Heredoc[] {
  // The exec form is JSON; what looks like a heredoc in it is a string.
  if (text.trimStart().startsWith('[')) return [];
  const heredocs: Heredoc[] = [];
  for (const [, dash, quote, name = ''] of text.matchAll(HEREDOC)) {
    const content: string[] = [];
    for (;;) {
      const line = lines.take();
      if (line === undefined) throw new BuildError(at, `unterminated heredoc ${name}`);
      written.push(line);
      const plain = dash === '-' ? line.replace(/^\t+/, '') : line;
      if (plain === name) break;
      content.push(`${plain}\n`);
    }
    heredocs.push({ name, content: content.join(''), expands: quote === '' });
  }
  return heredocs;
}

/** The JSON form of arguments; undefined when the text is the shell form. */
export function execForm(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((part) => typeof part === 'string')) return value;
  } catch {
    // Not JSON: Docker takes it for a shell command, too.
  }
  return undefined;
}
