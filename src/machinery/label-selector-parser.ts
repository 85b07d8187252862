/** The grammar of label selectors as text, with upstream's errors. */
import type { LabelOperator, LabelRequirement } from './label-selector.ts';
import { validateLabelValue, validateQualifiedName } from './names.ts';
import { badRequest, type StatusError } from './status-error.ts';

type Token =
  | 'identifier'
  | 'end'
  | '!'
  | '='
  | '=='
  | '!='
  | '>'
  | '<'
  | '('
  | ')'
  | ','
  | 'in'
  | 'notin'
  | 'error';

interface Item {
  readonly token: Token;
  readonly text: string;
}

/** `in` and `notin` are words like others where a key or a value is expected. */
const asWord = (item: Item): Item =>
  item.token === 'in' || item.token === 'notin' ? { token: 'identifier', text: item.text } : item;

function scan(text: string): readonly Item[] {
  const items: Item[] = [];
  const pattern = /[ \t\r\n]+|([^=!(),><\s]+)|(==|!=|[=!(),><])/gy;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [, word, symbol] = match;
    if (word !== undefined)
      items.push({ token: word === 'in' || word === 'notin' ? word : 'identifier', text: word });
    else if (symbol !== undefined) items.push({ token: symbol as Token, text: symbol });
  }
  items.push({ token: 'end', text: '' });
  return items;
}

const BINARY_OPERATORS = 'in, notin, =, ==, !=, gt, lt';
const OPERATORS: Readonly<Partial<Record<Token, LabelOperator>>> = {
  in: 'in',
  notin: 'notin',
  '=': '=',
  '==': '==',
  '!=': '!=',
  '>': 'gt',
  '<': 'lt',
};

class RequirementError extends Error {}

class SelectorParser {
  readonly #items: readonly Item[];
  #at = 0;

  constructor(text: string) {
    this.#items = scan(text);
  }

  #peek(): Item {
    return this.#items[this.#at] ?? { token: 'end', text: '' };
  }

  #next(): Item {
    const item = this.#peek();
    this.#at++;
    return item;
  }

  parse(): readonly LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const { token, text } = asWord(this.#peek());
      if (token === 'end') return requirements;
      if (token !== 'identifier' && token !== '!') {
        throw failure(`found '${text}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirementOrFail());
      const after = asWord(this.#next());
      if (after.token === 'end') return requirements;
      if (after.token !== ',') throw failure(`found '${after.text}', expected: ',' or 'end of string'`);
      const following = asWord(this.#peek());
      if (following.token !== 'identifier' && following.token !== '!') {
        throw failure(`found '${following.text}', expected: identifier after ','`);
      }
    }
  }

  #requirementOrFail(): LabelRequirement {
    try {
      return this.#requirement();
    } catch (error) {
      if (error instanceof RequirementError) throw failure(`unable to parse requirement: ${error.message}`);
      throw error;
    }
  }

  #requirement(): LabelRequirement {
    const negated = this.#peek().token === '!';
    if (negated) this.#at++;
    const { token, text: key } = asWord(this.#next());
    if (token !== 'identifier') throw new RequirementError(`found '${key}', expected: identifier`);
    const keyErrors = validateQualifiedName(key);
    if (keyErrors.length > 0) throw new RequirementError(invalidText('<nil>', key, keyErrors));
    const following = this.#peek().token;
    if (negated) return { key, operator: '!', values: [] };
    if (following === 'end' || following === ',') return { key, operator: 'exists', values: [] };
    const operator = this.#operator();
    const values = operator === 'in' || operator === 'notin' ? this.#valueSet() : [this.#exactValue()];
    return checked({ key, operator, values: [...new Set(values)].sort() });
  }

  #operator(): LabelOperator {
    const { token, text } = this.#next();
    const operator = OPERATORS[token];
    if (operator === undefined) throw new RequirementError(`found '${text}', expected: ${BINARY_OPERATORS}`);
    return operator;
  }

  #exactValue(): string {
    const { token } = this.#peek();
    if (token === 'end' || token === ',') return '';
    const { token: word, text } = asWord(this.#next());
    if (word !== 'identifier') throw new RequirementError(`found '${text}', expected: identifier`);
    return text;
  }

  /** `(a,b)`; an empty place between commas is the empty value. */
  #valueSet(): readonly string[] {
    const open = asWord(this.#next());
    if (open.token !== '(') throw new RequirementError(`found '${open.text}' expected: '('`);
    const first = asWord(this.#peek());
    if (first.token === ')') {
      this.#at++;
      return [''];
    }
    if (first.token !== 'identifier' && first.token !== ',') {
      throw new RequirementError(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    const values = this.#valueList();
    // Nothing but the closing parenthesis ends the list.
    this.#at++;
    return values;
  }

  #valueList(): readonly string[] {
    const values: string[] = [];
    for (;;) {
      const { token, text } = asWord(this.#next());
      const following = asWord(this.#peek());
      if (token === 'identifier') {
        values.push(text);
        if (following.token === ')') return values;
        if (following.token !== ',')
          throw new RequirementError(`found '${following.text}', expected: ',' or ')'`);
      } else if (token === ',') {
        if (values.length === 0) values.push('');
        if (following.token === ')' || following.token === ',') values.push('');
        if (following.token === ')') return values;
      } else {
        throw new RequirementError(`found '${text}', expected: ',', or identifier`);
      }
    }
  }
}

const failure = (message: string): StatusError => badRequest(message);
const invalidText = (path: string, value: string, errors: readonly string[]): string =>
  `${path}: Invalid value: ${JSON.stringify(value)}: ${errors.join('; ')}`;

function checked(requirement: LabelRequirement): LabelRequirement {
  const { key, operator, values } = requirement;
  const errors: string[] = [];
  for (const [i, value] of values.entries()) {
    if ((operator === 'gt' || operator === 'lt') && !/^[+-]?\d+$/.test(value)) {
      errors.push(
        invalidText(`values[${i}]`, value, ["for 'Gt', 'Lt' operators, the value must be an integer"]),
      );
    }
  }
  for (const [i, value] of values.entries()) {
    const valueErrors = validateLabelValue(value);
    if (valueErrors.length > 0) errors.push(invalidText(`values[${i}][${key}]`, value, valueErrors));
  }
  const [first = ''] = errors;
  if (errors.length > 0) throw new RequirementError(errors.length === 1 ? first : `[${errors.join(', ')}]`);
  return requirement;
}

/** In the order written. @throws StatusError 400 */
export function parseLabelRequirements(text: string): readonly LabelRequirement[] {
  return new SelectorParser(text).parse();
}
