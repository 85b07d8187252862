/**
 * Validation errors as apimachinery's `util/validation/field` words them. A list of them becomes the one
 * 422 `Invalid` Status whose message and causes kubectl prints and conformance compares.
 */
import { type GroupKind, StatusError } from './status-error.ts';

export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid'
  | 'InternalError';

export interface FieldError {
  readonly type: FieldErrorType;
  /** Path in the object, e.g. `spec.containers[0].name`. */
  readonly field: string;
  /** Without the path: `Required value: must name it`. */
  readonly body: string;
}

/** A path into an object, grown while walking down: `spec` → `spec.containers` → `spec.containers[0]`. */
export class FieldPath {
  readonly #text: string;

  constructor(text = '') {
    this.#text = text;
  }

  child(...names: readonly string[]): FieldPath {
    const tail = names.join('.');
    return new FieldPath(this.#text === '' ? tail : `${this.#text}.${tail}`);
  }

  index(i: number): FieldPath {
    return new FieldPath(`${this.#text}[${i}]`);
  }

  key(key: string): FieldPath {
    return new FieldPath(`${this.#text}[${key}]`);
  }

  toString(): string {
    return this.#text;
  }
}

/** Prints a value the way field errors quote it: as JSON. */
function quote(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  return JSON.stringify(value);
}

const make = (type: FieldErrorType, path: FieldPath | string, body: string): FieldError => ({
  type,
  field: String(path),
  body,
});
const withDetail = (head: string, detail: string): string => (detail === '' ? head : `${head}: ${detail}`);

export const required = (path: FieldPath | string, detail = ''): FieldError =>
  make('FieldValueRequired', path, withDetail('Required value', detail));
export const invalid = (path: FieldPath | string, value: unknown, detail: string): FieldError =>
  make('FieldValueInvalid', path, withDetail(`Invalid value: ${quote(value)}`, detail));
export const duplicate = (path: FieldPath | string, value: unknown): FieldError =>
  make('FieldValueDuplicate', path, `Duplicate value: ${quote(value)}`);
export const fieldForbidden = (path: FieldPath | string, detail: string): FieldError =>
  make('FieldValueForbidden', path, withDetail('Forbidden', detail));
export const fieldNotFound = (path: FieldPath | string, value: unknown): FieldError =>
  make('FieldValueNotFound', path, `Not found: ${quote(value)}`);
/** Supported values are printed quoted, in the order given: upstream sorts a set before it gets here. */
export const notSupported = (
  path: FieldPath | string,
  value: unknown,
  supported: readonly string[],
): FieldError =>
  make(
    'FieldValueNotSupported',
    path,
    withDetail(
      `Unsupported value: ${quote(value)}`,
      supported.length === 0 ? '' : `supported values: ${supported.map((s) => JSON.stringify(s)).join(', ')}`,
    ),
  );
export const tooLong = (path: FieldPath | string, maxLength: number): FieldError =>
  make(
    'FieldValueTooLong',
    path,
    `Too long: may not be more than ${maxLength} ${maxLength === 1 ? 'byte' : 'bytes'}`,
  );
export const tooMany = (path: FieldPath | string, actual: number, max: number): FieldError =>
  make(
    'FieldValueTooMany',
    path,
    `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
  );
export const typeInvalid = (path: FieldPath | string, value: unknown, detail: string): FieldError =>
  make('FieldValueTypeInvalid', path, withDetail(`Invalid value: ${quote(value)}`, detail));

/**
 * 422 for an object with at least one field error.
 * Message: `Pod "web" is invalid: spec.x: Required value`, several in brackets: `[a, b]`.
 */
export function invalidObject(gk: GroupKind, name: string, errors: readonly FieldError[]): StatusError {
  const lines = errors.map((e) => `${e.field}: ${e.body}`);
  const unique = [...new Set(lines)];
  const text = unique.length === 1 ? (unique[0] ?? '') : `[${unique.join(', ')}]`;
  const kindName = gk.group === '' ? gk.kind : `${gk.kind}.${gk.group}`;
  return new StatusError(422, 'Invalid', `${kindName} ${JSON.stringify(name)} is invalid: ${text}`, {
    ...(name === '' ? {} : { name }),
    ...(gk.group === '' ? {} : { group: gk.group }),
    ...(gk.kind === '' ? {} : { kind: gk.kind }),
    causes: errors.map((e) => ({ reason: e.type, message: e.body, field: e.field })),
  });
}
