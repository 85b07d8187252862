/**
 * Where a decode stands: the way down to the value at hand, for messages, and what was found wrong but not fatal.
 *
 * The way down is a stack of what was entered: a field, an index of a list, a key of a map. Only messages read
 * it, so entering costs one write.
 */

/** Go stops at 10,000; recursion here stops well before the JavaScript stack does. */
export const MAX_DEPTH = 1000;
/** As many strict problems as upstream collects; further ones are dropped. */
export const MAX_PROBLEMS = 100;

/** A field as the stack holds it. */
export interface FieldStep {
  readonly name: string;
  /** Name with the embedded Go structs it came through, as Go's type errors print it: `VolumeSource.hostPath`. */
  readonly errorName: string;
  /** Go's name of the struct that has the field. */
  readonly ownerName: string;
}

export type Step = FieldStep | number | string;

/** Not fit for the schema. The message is Go's; what is around it (`… cannot be handled as a …`) is the caller's. */
export class DecodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DecodeError';
  }
}

export class DecodeContext {
  readonly steps: Step[] = [];
  depth = 0;
  /** Absent when nobody asks (`fieldValidation: Ignore`). */
  readonly problems: string[] | undefined;
  /** Paths of fields that were dropped, so that duplicates inside them are not reported again. */
  readonly dropped = new Set<string>();
  /** Paths of keys that stand twice and have not been met yet; absent when there are none. */
  readonly #duplicates: Set<string> | undefined;
  /** Fields and values of the structs being decoded, one region per nested struct. */
  readonly scratchFields: unknown[] = [];
  readonly scratchValues: unknown[] = [];
  scratchTop = 0;

  constructor(collectProblems: boolean, duplicates: readonly string[] = []) {
    this.problems = collectProblems ? [] : undefined;
    this.#duplicates = collectProblems && duplicates.length > 0 ? new Set(duplicates) : undefined;
  }

  enter(step: Step): void {
    if (this.depth >= MAX_DEPTH) throw new DecodeError('exceeded max depth');
    this.steps[this.depth++] = step;
  }

  leave(): void {
    this.depth--;
  }

  /** `spec.containers[0].foo` */
  path(last?: string): string {
    let text = '';
    for (let i = 0; i < this.depth; i++) {
      const step = this.steps[i];
      if (typeof step === 'number') text += `[${step}]`;
      else {
        const name = typeof step === 'object' ? step.name : (step ?? '');
        text += text === '' ? name : `.${name}`;
      }
    }
    if (last === undefined) return text;
    return text === '' ? last : `${text}.${last}`;
  }

  /** Reports a key of the object at hand when it stands twice. */
  met(name: string): void {
    if (this.#duplicates === undefined || this.#duplicates.size === 0) return;
    const path = this.path(name);
    if (this.#duplicates.delete(path)) this.#report(`duplicate field ${JSON.stringify(path)}`);
  }

  /** Duplicates that were not met because nothing walks there; those inside of dropped fields do not count. */
  reportOtherDuplicates(): void {
    const dropped = [...this.dropped];
    for (const path of this.#duplicates ?? []) {
      const inDropped = dropped.some(
        (field) => path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`),
      );
      if (!inDropped) this.#report(`duplicate field ${JSON.stringify(path)}`);
    }
  }

  #report(problem: string): void {
    if (this.problems !== undefined && this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
  }

  unknownField(name: string): void {
    if (this.problems === undefined || this.dropped.size >= MAX_PROBLEMS) return;
    const path = this.path(name);
    if (this.dropped.has(path)) return;
    this.dropped.add(path);
    this.#report(`unknown field ${JSON.stringify(path)}`);
  }

  /** `what`: Go's name for the JSON value: `string`, `number 1.5`, `bool`, `object`, `array`. */
  mismatch(value: unknown, goType: string): DecodeError {
    const names: string[] = [];
    let owner = '';
    for (let i = 0; i < this.depth; i++) {
      const step = this.steps[i];
      if (typeof step !== 'object') continue;
      names.push(step.errorName);
      owner = step.ownerName;
    }
    const what = describe(value, goType);
    return new DecodeError(
      names.length === 0
        ? `json: cannot unmarshal ${what} into Go value of type ${goType}`
        : `json: cannot unmarshal ${what} into Go struct field ${owner}.${names.join('.')} of type ${goType}`,
    );
  }
}

const NUMERIC = new Set(['int32', 'int64', 'uint32', 'float64']);

function describe(value: unknown, goType: string): string {
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'number':
      // Go names the number only where a number was wanted and this one did not fit.
      return NUMERIC.has(goType) ? `number ${value}` : 'number';
    default:
      return 'object';
  }
}
