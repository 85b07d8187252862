/** Checks of one value against one schema, without descending. */
import { RE2JS } from 're2js';
import { sameValue } from '../apply/same-value.ts';
import type { SchemaDefinition } from './definition.ts';
import { formatCheck } from './formats.ts';
import {
  invalidValue,
  notInEnum,
  tooLongError,
  tooManyError,
  unplaced,
  type ValueError,
  wrongType,
} from './value-error.ts';

function typesOf(definition: SchemaDefinition): readonly string[] {
  if (definition['x-kubernetes-int-or-string'] === true) return ['integer', 'string'];
  return definition.type === undefined || definition.type === '' ? [] : [definition.type];
}

/** The format as far as it is enforced; others are ignored. */
function enforcedFormat(definition: SchemaDefinition): string {
  const { format = '' } = definition;
  const types = typesOf(definition);
  switch (types.length === 1 ? types[0] : '') {
    case '':
    case 'string':
      return formatCheck(format) === undefined ? '' : format;
    case 'integer':
      return format === 'int32' || format === 'int64' ? format : '';
    case 'number':
      return format === 'float' || format === 'double' ? format : '';
    default:
      return '';
  }
}

function jsonType(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

export function typeError(
  definition: SchemaDefinition,
  value: unknown,
  path: string,
): ValueError | undefined {
  const types = typesOf(definition);
  const actual = jsonType(value);
  if (actual === 'null') {
    return types.length > 0 && definition.nullable !== true
      ? wrongType(path, types.join(','), 'null')
      : undefined;
  }
  const format = enforcedFormat(definition);
  const fits = types.includes(actual) || (actual === 'integer' && types.includes('number'));
  const isTextual = actual === 'string' || actual === 'array';
  if (format !== '' && !isTextual && !fits) {
    return wrongType(path, format, actual === 'integer' ? 'int64' : actual === 'number' ? 'float64' : '');
  }
  const isNumeric = types.includes('number') || types.includes('integer');
  if (format !== '' && isTextual && !isNumeric) return undefined;
  return fits || types.length === 0 ? undefined : wrongType(path, types.join(','), actual);
}

const patterns = new WeakMap<SchemaDefinition, RE2JS | Error>();

function compiledPattern(definition: SchemaDefinition, pattern: string): RE2JS | Error {
  let compiled = patterns.get(definition);
  if (compiled === undefined) {
    compiled = compilePattern(pattern);
    patterns.set(definition, compiled);
  }
  return compiled;
}

/** Linear in time whatever the pattern: users write them. */
export function compilePattern(pattern: string): RE2JS | Error {
  try {
    return RE2JS.compile(pattern);
  } catch (e) {
    return e instanceof Error ? e : new Error(String(e));
  }
}

export function stringError(
  definition: SchemaDefinition,
  value: string,
  path: string,
): readonly ValueError[] {
  const { maxLength, minLength, pattern } = definition;
  const errors: ValueError[] = [];
  const length = maxLength === undefined && minLength === undefined ? 0 : codePoints(value);
  if (maxLength !== undefined && length > maxLength) {
    errors.push(tooLongError(path, maxLength));
  } else if (minLength !== undefined && length < minLength) {
    errors.push(invalidValue(path, value, `should be at least ${minLength} chars long`));
  } else if (pattern !== undefined && pattern !== '') {
    const compiled = compiledPattern(definition, pattern);
    if (compiled instanceof Error) {
      const reason = `${pattern}, but pattern is invalid: ${compiled.message}`;
      errors.push(invalidValue(path, value, `should match '${reason}'`));
    } else if (!compiled.matcher(value).find()) {
      errors.push(invalidValue(path, value, `should match '${pattern}'`));
    }
  }
  const format = enforcedFormat(definition);
  if (format !== '' && formatCheck(format)?.(value) === false) errors.push(wrongType(path, format, value));
  return errors;
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

const INT32_MAX = 2 ** 31 - 1;
const FLOAT32_MAX = 3.4028234663852886e38;

export function numberErrors(
  definition: SchemaDefinition,
  value: number,
  path: string,
): readonly ValueError[] {
  const errors: ValueError[] = [];
  const format = enforcedFormat(definition);
  const overflows =
    (format === 'int32' && (value > INT32_MAX || value < -INT32_MAX - 1)) ||
    (format === 'float' && Math.abs(value) > FLOAT32_MAX);
  if (overflows) {
    errors.push(
      unplaced(`Checked value must be of type ${definition.type} with format ${format} in ${path}`),
    );
  }
  if (definition.type === 'integer' && !Number.isInteger(value)) {
    const kind = format === '' ? '(default format)' : `with format ${format}`;
    errors.push(unplaced(`Checked value must be of type integer ${kind} in ${path}`));
  }
  const { multipleOf, exclusiveMaximum = false, exclusiveMinimum = false } = definition;
  const maximum = boundFor(value, definition.maximum);
  const minimum = boundFor(value, definition.minimum);
  if (multipleOf !== undefined && multipleOf > 0 && !isMultiple(value, multipleOf)) {
    errors.push(invalidValue(path, value, `should be a multiple of ${goNumber(multipleOf)}`));
  }
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum)) {
    const bound = exclusiveMinimum ? 'greater than' : 'greater than or equal to';
    errors.push(invalidValue(path, value, `should be ${bound} ${goNumber(minimum)}`));
  }
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum)) {
    const bound = exclusiveMaximum ? 'less than' : 'less than or equal to';
    errors.push(invalidValue(path, value, `should be ${bound} ${goNumber(maximum)}`));
  }
  return errors;
}

/** An integer is compared with the whole part of a bound. */
const boundFor = (value: number, bound: number | undefined): number | undefined =>
  bound === undefined || !Number.isInteger(value) ? bound : Math.trunc(bound);

function isMultiple(value: number, factor: number): boolean {
  const quotient = factor < 1 ? (1 / factor) * value : value / factor;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9 * Math.max(1, Math.abs(quotient));
}

/** Go's `%v` of a number: an exponent below 1e-4, of at least two digits. */
function goNumber(value: number): string {
  if (value === 0 || Math.abs(value) >= 1e-4) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

export function listSizeErrors(
  definition: SchemaDefinition,
  items: readonly unknown[],
  path: string,
): readonly ValueError[] {
  const errors: ValueError[] = [];
  const { minItems, maxItems } = definition;
  if (minItems !== undefined && items.length < minItems) {
    errors.push(invalidValue(path, items.length, `should have at least ${minItems} items`));
  }
  if (maxItems !== undefined && items.length > maxItems) {
    errors.push(tooManyError(path, items.length, maxItems, 'items'));
  }
  if (definition.uniqueItems === true && hasDuplicates(items)) {
    errors.push(invalidValue(path, undefined, "shouldn't contain duplicates"));
  }
  return errors;
}

const hasDuplicates = (items: readonly unknown[]): boolean =>
  items.some((item, i) => items.slice(0, i).some((earlier) => sameValue(earlier, item)));

export function enumErrors(
  definition: SchemaDefinition,
  value: unknown,
  path: string,
): readonly ValueError[] {
  const { enum: allowed } = definition;
  if (allowed === undefined || allowed.length === 0) return [];
  // Null is in no enumeration, not even in one that lists it.
  const isAllowed = value !== null && allowed.some((item) => sameValue(item, value));
  return isAllowed ? [] : [notInEnum(path, value, allowed)];
}
