/**
 * Whether a custom resource's values satisfy their schema: types, bounds, formats, required fields, enumerations
 * and combinations of schemas, in the words of kube-openapi's validator. CEL rules are not evaluated.
 *
 * On update an error is forgiven in a part that did not change (ratcheting, KEP-4008). A part of a list is only
 * found again in a list of type `map`, by its keys.
 */
import { sameValue } from '../apply/same-value.ts';
import type { FieldError, FieldPath } from '../field-error.ts';
import type { StructSchema } from '../schema.ts';
import { definitionOf } from './compile.ts';
import { additionalOf, itemsOf, propertiesOf, propertyOf, type SchemaDefinition } from './definition.ts';
import { embeddedResourceErrors } from './embedded-resource.ts';
import { listErrors } from './list-uniqueness.ts';
import { enumErrors, listSizeErrors, numberErrors, stringError, typeError } from './value-checks.ts';
import { requiredError, tooManyError, unplaced, type ValueError, ValueResult } from './value-error.ts';
import { invalidValue } from './value-error.ts';

type Members = Readonly<Record<string, unknown>>;

export interface ValueValidationOptions {
  /** The stored object, on update. */
  readonly old?: unknown;
}

/**
 * @param schema compiled by `compileStructuralSchema`; any other schema accepts everything.
 * @param path of `object` itself; undefined or empty for a whole resource.
 */
export function validateCustomValue(
  schema: StructSchema,
  object: unknown,
  path?: FieldPath,
  options: ValueValidationOptions = {},
): readonly FieldError[] {
  const definition = definitionOf(schema);
  if (definition === undefined) return [];
  return validateDefinedValue(definition, object, path === undefined ? '' : String(path), options);
}

/** The same for a value and the definition of its schema. */
export function validateDefinedValue(
  definition: SchemaDefinition,
  value: unknown,
  base: string,
  options: ValueValidationOptions = {},
): readonly FieldError[] {
  const { errors } = new ValueValidator().validate(definition, value, '', options.old);
  return [
    ...errors.map((error) => error.report(place(base, error))),
    ...embeddedResourceErrors(definition, value, base),
    ...listErrors(definition, value, base),
  ];
}

function place(base: string, error: ValueError): string {
  const below = error.path.replace(/^\./, '');
  if (below === '') return base === '' ? '<nil>' : base;
  return base === '' ? below : `${base}.${below}`;
}

class ValueValidator {
  validate(definition: SchemaDefinition, value: unknown, path: string, old?: unknown): ValueResult {
    const result = this.#check(definition, value, path, old);
    if (result.isValid || old === undefined || !sameValue(value, old)) return result;
    const forgiven = new ValueResult();
    forgiven.matches = result.matches;
    return forgiven;
  }

  #check(definition: SchemaDefinition, value: unknown, path: string, old: unknown): ValueResult {
    const result = new ValueResult();
    const checked = (errors: readonly ValueError[], passed = 1): void => {
      result.add(...errors);
      result.matches += passed;
    };
    const hasType = definition.type !== undefined || definition['x-kubernetes-int-or-string'] === true;
    if (value === null || value === undefined) {
      const error = typeError(definition, value, path);
      result.add(...(error === undefined ? [] : [error]), ...enumErrors(definition, value, path));
      return result;
    }
    if (hasType || definition.format !== undefined) {
      const error = typeError(definition, value, path);
      checked(error === undefined ? [] : [error], error === undefined ? 2 : 1);
    }
    result.merge(this.#combinations(definition, value, path, old));
    result.matches += 2;
    if (typeof value === 'string') checked(stringError(definition, value, path));
    if (typeof value === 'number') checked(numberErrors(definition, value, path), 2);
    if (Array.isArray(value)) {
      result.merge(this.#items(definition, value, path, old));
      result.matches += 2;
    }
    checked(enumErrors(definition, value, path));
    if (isMembers(value)) {
      result.merge(this.#members(definition, value, path, old));
      result.matches++;
    }
    result.matches++;
    return result;
  }

  #combinations(definition: SchemaDefinition, value: unknown, path: string, old: unknown): ValueResult {
    const result = new ValueResult();
    const attempt = (alternative: SchemaDefinition): ValueResult =>
      this.#check(alternative, value, path, old);
    if (definition.anyOf !== undefined && definition.anyOf.length > 0) {
      const attempts = attemptUntilValid(definition.anyOf, attempt);
      const success = attempts.find((one) => one.isValid);
      if (success === undefined) {
        result.add(unplaced(`${JSON.stringify(path)} must validate at least one schema (anyOf)`));
      }
      result.merge(success ?? best(attempts));
    }
    if (definition.oneOf !== undefined && definition.oneOf.length > 0) {
      const attempts = definition.oneOf.map(attempt);
      const valid = attempts.filter((one) => one.isValid);
      const [success] = valid;
      if (success !== undefined && valid.length === 1) {
        result.merge(success);
      } else {
        const found = valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`;
        result.add(
          unplaced(`${JSON.stringify(path)} must validate one and only one schema (oneOf). ${found}`),
        );
        if (valid.length === 0) result.merge(best(attempts));
      }
    }
    if (definition.allOf !== undefined && definition.allOf.length > 0) {
      const attempts = definition.allOf.map(attempt);
      for (const one of attempts) result.merge(one);
      const valid = attempts.filter((one) => one.isValid).length;
      if (valid !== attempts.length) {
        const none = valid === 0 ? '. None validated' : '';
        result.add(unplaced(`${JSON.stringify(path)} must validate all the schemas (allOf)${none}`));
      }
    }
    if (definition.not !== undefined && attempt(definition.not).isValid) {
      result.add(unplaced(`${JSON.stringify(path)} must not validate the schema (not)`));
    }
    return result;
  }

  #items(definition: SchemaDefinition, items: readonly unknown[], path: string, old: unknown): ValueResult {
    const result = new ValueResult();
    const schema = itemsOf(definition);
    if (schema !== undefined) {
      const oldItem = itemCorrelation(definition, old);
      for (const [i, item] of items.entries()) {
        result.merge(this.validate(schema, item, `${path}[${i}]`, oldItem(item)));
      }
    }
    result.add(...listSizeErrors(definition, items, path));
    return result;
  }

  #members(definition: SchemaDefinition, value: Members, path: string, old: unknown): ValueResult {
    const result = new ValueResult();
    const names = Object.keys(value);
    const { minProperties, maxProperties } = definition;
    if (minProperties !== undefined && names.length < minProperties) {
      result.add(invalidValue(path, names.length, `should have at least ${minProperties} properties`));
    }
    if (maxProperties !== undefined && names.length > maxProperties) {
      result.add(tooManyError(path, names.length, maxProperties, 'properties'));
    }
    const oldMember = (name: string): unknown => {
      const isIdentity = path === '' && (name === 'apiVersion' || name === 'kind');
      return isMembers(old) && !isIdentity && Object.hasOwn(old, name) ? old[name] : undefined;
    };
    result.merge(this.#undeclared(definition, value, path, oldMember));
    for (const [name, property] of propertiesOf(definition)) {
      if (!Object.hasOwn(value, name)) continue;
      const memberPath = path === '' ? name : `${path}.${name}`;
      result.merge(this.validate(property, value[name], memberPath, oldMember(name)));
    }
    for (const name of definition.required ?? []) {
      if (!Object.hasOwn(value, name)) result.add(requiredError(`${path}.${name}`));
    }
    return result;
  }

  #undeclared(
    definition: SchemaDefinition,
    value: Members,
    path: string,
    oldMember: (name: string) => unknown,
  ): ValueResult {
    const result = new ValueResult();
    const additional = additionalOf(definition);
    if (additional === undefined && definition.additionalProperties !== false) return result;
    for (const name of Object.keys(value)) {
      if (propertyOf(definition, name) !== undefined) continue;
      if (additional === undefined) {
        const message = `${path}.${name} in body is a forbidden property`;
        result.add({ ...invalidValue(path, name, ''), message });
      } else {
        result.merge(this.validate(additional, value[name], `${path}.${name}`, oldMember(name)));
      }
    }
    return result;
  }
}

function attemptUntilValid(
  alternatives: readonly SchemaDefinition[],
  attempt: (alternative: SchemaDefinition) => ValueResult,
): readonly ValueResult[] {
  const attempts: ValueResult[] = [];
  for (const alternative of alternatives) {
    const result = attempt(alternative);
    attempts.push(result);
    if (result.isValid) break;
  }
  return attempts;
}

/** Of several failures the first that passed most checks. */
function best(attempts: readonly ValueResult[]): ValueResult {
  return attempts.reduce(
    (chosen, one) => (one.matches > chosen.matches ? one : chosen),
    attempts[0] ?? new ValueResult(),
  );
}

/** Finds the old item with the same keys; undefined for every item of a list of another type. */
function itemCorrelation(definition: SchemaDefinition, old: unknown): (item: unknown) => unknown {
  const keys = definition['x-kubernetes-list-map-keys'];
  if (definition['x-kubernetes-list-type'] !== 'map' || keys === undefined || !Array.isArray(old)) {
    return () => undefined;
  }
  const identity = (item: unknown): string =>
    JSON.stringify(keys.map((key) => (isMembers(item) ? (item[key] ?? null) : null)));
  const byKeys = new Map(old.map((item: unknown) => [identity(item), item]));
  return (item) => byKeys.get(identity(item));
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
