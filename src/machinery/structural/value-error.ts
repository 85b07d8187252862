/** What is wrong with a value, kept apart from where it is reported: alternatives of a schema compare their errors. */
import {
  type FieldError,
  invalid,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from '../field-error.ts';

export interface ValueError {
  /** Path from the validated value: `spec.ports[0]`, '' for the value itself. */
  readonly path: string;
  readonly message: string;
  readonly report: (path: string) => FieldError;
}

/** Errors, and how many checks were passed: of several alternatives that fail, the one with most is reported. */
export class ValueResult {
  readonly errors: ValueError[] = [];
  matches = 0;

  get isValid(): boolean {
    return this.errors.length === 0;
  }

  /** The same message is kept once. */
  add(...errors: readonly ValueError[]): void {
    for (const error of errors) {
      if (!this.errors.some((known) => known.message === error.message)) this.errors.push(error);
    }
  }

  merge(other: ValueResult): void {
    this.add(...other.errors);
    this.matches += other.matches;
  }
}

const inBody = (path: string, what: string): string => `${path} in body ${what}`;

export const requiredError = (path: string): ValueError => ({
  path,
  message: inBody(path, 'is required'),
  report: (at) => required(at),
});

export const wrongType = (path: string, expected: string, actual: string): ValueError => {
  const message = inBody(path, `must be of type ${expected}: ${JSON.stringify(actual)}`);
  return { path, message, report: (at) => typeInvalid(at, actual, message) };
};

export const invalidValue = (path: string, value: unknown, what: string): ValueError => {
  const message = inBody(path, what);
  return { path, message, report: (at) => invalid(at, value ?? '', message) };
};

export const tooLongError = (path: string, max: number): ValueError => ({
  path,
  message: inBody(path, `should be at most ${max} chars long`),
  report: (at) => tooLong(at, max),
});

export const tooManyError = (path: string, actual: number, max: number, what: string): ValueError => ({
  path,
  message: inBody(path, `should have at most ${max} ${what}`),
  report: (at) => tooMany(at, actual, max),
});

export const notInEnum = (path: string, value: unknown, allowed: readonly unknown[]): ValueError => ({
  path,
  message: inBody(path, `should be one of [${allowed.map(String).join(' ')}]`),
  report: (at) =>
    notSupported(
      at,
      value,
      allowed.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))),
    ),
});

/** An error that upstream does not tie to a path: it is reported for the whole object. */
export const unplaced = (message: string): ValueError => ({
  path: '',
  message,
  report: (at) => invalid(at, '', message),
});
