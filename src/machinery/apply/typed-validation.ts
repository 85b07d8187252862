/** Whether an applied configuration fits its schema, in the words of upstream's typed values. */
import { goPrint, goTypeName, isJsonObject } from '../patch/json-value.ts';
import { type ApplyType, formFor, type ListForm, type MapForm } from './apply-type.ts';
import { itemStep } from './list-item.ts';
import { fieldStep, printStep } from './path-element.ts';

/**
 * @param allowDuplicates of list items and set values; live objects may have them, applied ones may not.
 * @returns undefined when it fits, else the message: one error, or `errors:` and one indented line for each.
 */
export function typeErrors(type: ApplyType, value: unknown, allowDuplicates = false): string | undefined {
  const errors: string[] = [];
  validate(type, value, '', allowDuplicates, errors);
  if (errors.length <= 1) return errors[0];
  return ['errors:', ...errors.map((error) => `  ${error}`)].join('\n');
}

function validate(
  type: ApplyType,
  value: unknown,
  path: string,
  allowDuplicates: boolean,
  errors: string[],
): void {
  if (value === undefined || value === null) return;
  const complain = (message: string): void => {
    errors.push(path === '' ? message : `${path}: ${message}`);
  };
  const form = formFor(type, value);
  if (form.kind === 'scalar') {
    const message = scalarError(form.scalar, value);
    if (message !== undefined) complain(message);
  } else if (form.kind === 'list') {
    if (Array.isArray(value)) validateList(form.list, value, path, allowDuplicates, errors);
    else complain(`expected list, got &{${goPrint(value)}}`);
  } else if (isJsonObject(value)) {
    validateMap(form.map, value, path, allowDuplicates, errors);
  } else {
    complain(`expected map, got &{${goPrint(value)}}`);
  }
}

function scalarError(scalar: NonNullable<ApplyType['scalar']>, value: unknown): string | undefined {
  const isScalar = typeof value !== 'object';
  if (scalar === 'untyped') return isScalar ? undefined : `expected any scalar, got &{${goPrint(value)}}`;
  if (scalar === 'numeric') {
    return typeof value === 'number'
      ? undefined
      : `expected numeric (int or float), got ${goTypeName(value)}`;
  }
  if (typeof value === scalar) return undefined;
  return scalar === 'boolean'
    ? `expected boolean, got &{${goPrint(value)}}`
    : `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`;
}

function validateList(
  list: ListForm,
  items: readonly unknown[],
  path: string,
  allowDuplicates: boolean,
  errors: string[],
): void {
  const seen = new Set<string>();
  for (const [i, item] of items.entries()) {
    let step = `i:${i}`;
    if (!list.atomic) {
      try {
        step = itemStep(list, item);
      } catch (e) {
        errors.push(`${path}: element ${i}: ${(e as Error).message}`);
        return;
      }
      if (seen.has(step) && !allowDuplicates) {
        errors.push(`${path}: duplicate entries for key ${printStep(step)}`);
      }
      seen.add(step);
    }
    validate(list.items, item, path + printStep(step), allowDuplicates, errors);
  }
}

function validateMap(
  map: MapForm,
  value: Readonly<Record<string, unknown>>,
  path: string,
  allowDuplicates: boolean,
  errors: string[],
): void {
  for (const [name, member] of Object.entries(value)) {
    const memberPath = path + printStep(fieldStep(name));
    const type = map.typeOf(name);
    if (type === undefined) {
      errors.push(`${memberPath}: field not declared in schema`);
      return;
    }
    validate(type, member, memberPath, allowDuplicates, errors);
  }
}

/** Go's `%#v` of a JSON value. */
function goSyntax(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (isJsonObject(value)) {
    const members = Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${goSyntax(value[key])}`);
    return `map[string]interface {}{${members.join(', ')}}`;
  }
  return value === null ? 'interface {}(nil)' : JSON.stringify(value);
}
