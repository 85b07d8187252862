/**
 * Rules that fields of many kinds share. A rule is a function `check…(value, at, errors)`: it appends what is wrong and
 * nothing when all is well, so that a valid object costs no lists. Messages and their order are upstream's.
 */
import {
  deepEqual,
  type FieldError,
  type FieldPath,
  invalid,
  notSupported,
  required,
  tooLong,
  validatePercent,
} from '#machinery';

export type Errors = FieldError[];

export const FIELD_IS_IMMUTABLE = 'field is immutable';
/** Upstream's way to say: the object as a whole. */
export const ROOT = '[]';
export const IS_NEGATIVE = 'must be greater than or equal to 0';

export const isEmpty = (text: string | null | undefined): boolean =>
  text === undefined || text === null || text === '';

/** What the rules in `check` find. */
export function collect(check: (errors: Errors) => void): readonly FieldError[] {
  const errors: Errors = [];
  check(errors);
  return errors;
}

/** Appends an `Invalid value` for each of a name rule's messages. */
export function addInvalid(messages: readonly string[], at: FieldPath, value: unknown, errors: Errors): void {
  for (const message of messages) errors.push(invalid(at, value, message));
}

export function checkNonNegative(value: number | undefined, at: FieldPath, errors: Errors): void {
  if (value !== undefined && value < 0) errors.push(invalid(at, value, IS_NEGATIVE));
}

export function checkPositive(value: number | undefined, at: FieldPath, errors: Errors): void {
  if ((value ?? 0) <= 0) errors.push(invalid(at, value ?? 0, 'must be greater than zero'));
}

export function checkImmutable(next: unknown, old: unknown, at: FieldPath, errors: Errors): void {
  if (!deepEqual(next ?? undefined, old ?? undefined)) errors.push(invalid(at, next, FIELD_IS_IMMUTABLE));
}

/** Absent is `Required value`, unknown is `Unsupported value`. `allowed` is printed in its own order. */
export function checkOneOf(
  value: string | undefined,
  allowed: readonly string[],
  at: FieldPath,
  errors: Errors,
): void {
  if (value === undefined || value === '') errors.push(required(at));
  else checkSupported(value, allowed, at, errors);
}

/** Absent is fine, unknown (the empty text too) is `Unsupported value`. */
export function checkSupported(
  value: string | undefined,
  allowed: readonly string[],
  at: FieldPath,
  errors: Errors,
): void {
  if (value !== undefined && !allowed.includes(value)) errors.push(notSupported(at, value, allowed));
}

export function checkPresent(
  text: string | null | undefined,
  at: FieldPath,
  errors: Errors,
  detail = '',
): boolean {
  if (!isEmpty(text)) return true;
  errors.push(required(at, detail));
  return false;
}

export function checkMaxLength(text: string, max: number, at: FieldPath, errors: Errors): void {
  if (Buffer.byteLength(text) > max) errors.push(tooLong(at, max));
}

/** `5` or `25%`, not negative. */
export function checkIntOrPercent(value: number | string, at: FieldPath, errors: Errors): void {
  if (typeof value === 'number') checkNonNegative(value, at, errors);
  else addInvalid(validatePercent(value), at, value, errors);
}

const isPercent = (value: number | string): value is string =>
  typeof value === 'string' && validatePercent(value).length === 0;

/** The number, or that before the `%`; what is neither counts as 0. */
export function intOrPercentNumber(value: number | string | undefined): number {
  if (typeof value === 'number') return value;
  if (value === undefined) return 0;
  const number = Number.parseInt(value, 10);
  return Number.isNaN(number) || !/^[+-]?\d+%?$/.test(value) ? 0 : number;
}

export function checkNotAboveHundredPercent(value: number | string, at: FieldPath, errors: Errors): void {
  if (isPercent(value) && intOrPercentNumber(value) > 100) {
    errors.push(invalid(at, value, 'must not be greater than 100%'));
  }
}

/** Entries by key: Go walks maps in no order, so any will do as long as it stays the same. */
export const sortedEntries = <T>(
  map: Readonly<Record<string, T>> | null | undefined,
): readonly (readonly [string, T])[] =>
  map === undefined || map === null
    ? []
    : Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

/** As Go prints a map: sorted by key; `undefined` when there is none, which prints as null. */
export const sortedMap = (
  map: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> | undefined =>
  map === undefined ? undefined : Object.fromEntries(sortedEntries(map));
