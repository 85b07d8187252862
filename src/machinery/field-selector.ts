/**
 * Field selectors: `metadata.name=web,status.phase!=Running`. Values escape `\`, `,` and `=` with a backslash.
 * Which fields can be selected by is the resource's business.
 *
 * Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
 */
import { badRequest } from './status-error.ts';

export interface FieldRequirement {
  readonly field: string;
  /** `==` is read as `=`. */
  readonly op: '=' | '!=';
  readonly value: string;
}

/** Sorted by their text, as upstream reads them. @throws StatusError 400 in upstream's words. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  return (
    splitTerms(text)
      .sort()
      .filter((term) => term !== '')
      .map((term) => parseTerm(text, term))
      // `=` alone selects nothing in particular.
      .filter(({ field, value }) => field !== '' || value !== '')
  );
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === ',') {
      terms.push(text.slice(start, i));
      start = i + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function parseTerm(selector: string, term: string): FieldRequirement {
  const match = /!=|==|=/.exec(term);
  if (match === null) throw badRequest(`invalid selector: '${selector}'; can't understand '${term}'`);
  const [operator] = match;
  return {
    field: term.slice(0, match.index),
    op: operator === '!=' ? '!=' : '=',
    value: unescapeValue(term.slice(match.index + operator.length)),
  };
}

function unescapeValue(text: string): string {
  let value = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if (char === '\\') {
      const escaped = String.fromCodePoint(...[text.codePointAt(++i)].filter((code) => code !== undefined));
      if (escaped === '' || !'\\,='.includes(escaped)) {
        throw badRequest(`invalid field selector: invalid escape sequence: \\${escaped}`);
      }
      value += escaped;
    } else if (char === ',' || char === '=') {
      // Upstream prints the number of the character here.
      throw badRequest(`invalid field selector: unescaped character in value: ${char.charCodeAt(0)}`);
    } else value += char;
  }
  return value;
}

/** The text form; the inverse of parsing. */
export function formatFieldSelector(requirements: readonly FieldRequirement[]): string {
  return requirements
    .map(({ field, op, value }) => `${field}${op}${value.replaceAll(/[\\,=]/g, (char) => `\\${char}`)}`)
    .join(',');
}
