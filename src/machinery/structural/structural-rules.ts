/**
 * What makes a schema structural (KEP-1979): every field has a type outside of `allOf`, `anyOf`, `oneOf` and `not`,
 * and what stands inside them only restricts values.
 */
import { type FieldError, type FieldPath, fieldForbidden, invalid, required } from '../field-error.ts';
import { additionalOf, itemsOf, propertiesOf, propertyOf, type SchemaDefinition } from './definition.ts';
import { compilePattern } from './value-checks.ts';

type Level = 'root' | 'item' | 'field';

const MISSING_TYPE: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

/** Sorted by text, as upstream sorts them. */
export function structuralErrors(definition: SchemaDefinition, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [];
  checkInvariants(definition, 'root', path, errors);
  checkCompleteness(definition, definition, path, path, errors);
  const text = (error: FieldError): string => `${error.field}: ${error.body}`;
  return errors.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

function checkInvariants(
  definition: SchemaDefinition,
  level: Level,
  path: FieldPath,
  errors: FieldError[],
): void {
  const items = itemsOf(definition);
  if (definition.type === 'array' && items === undefined) {
    errors.push(required(path.child('items'), 'must be specified'));
  }
  if (items !== undefined) checkInvariants(items, 'item', path.child('items'), errors);
  for (const [name, property] of propertiesOf(definition)) {
    checkInvariants(property, 'field', path.child('properties').key(name), errors);
  }
  const additional = additionalOf(definition);
  if (level === 'root' && definition.additionalProperties !== undefined) {
    errors.push(fieldForbidden(path.child('additionalProperties'), 'must not be used at the root'));
  }
  if (additional !== undefined) {
    checkInvariants(additional, 'field', path.child('additionalProperties'), errors);
  }
  checkExtensions(definition, path, errors);
  checkCombinations(definition, isIntOrString(definition), isIntOrStringFirst(definition), path, errors);
  checkType(definition, level, path, errors);
  checkIdentity(definition, level, path, errors);
}

function checkExtensions(definition: SchemaDefinition, path: FieldPath, errors: FieldError[]): void {
  if (definition['x-kubernetes-int-or-string'] !== true) return;
  for (const name of ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'] as const) {
    if (definition[name] === true) {
      errors.push(invalid(path.child(name), true, 'must be false if x-kubernetes-int-or-string is true'));
    }
  }
}

function checkType(definition: SchemaDefinition, level: Level, path: FieldPath, errors: FieldError[]): void {
  const { type = '' } = definition;
  const embedded = definition['x-kubernetes-embedded-resource'] === true;
  const preserves = definition['x-kubernetes-preserve-unknown-fields'] === true;
  const at = path.child('type');
  if (embedded && type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true';
    errors.push(type === '' ? required(at, detail) : invalid(at, type, detail));
  } else if (type === '' && definition['x-kubernetes-int-or-string'] !== true && !preserves) {
    errors.push(required(at, MISSING_TYPE[level]));
  }
  if (embedded && definition.additionalProperties !== undefined) {
    const detail = 'must not be used if x-kubernetes-embedded-resource is set';
    errors.push(fieldForbidden(path.child('additionalProperties'), detail));
  }
  if (level === 'root' && type !== '' && type !== 'object') {
    errors.push(invalid(at, type, 'must be object at the root'));
  }
  if (embedded && !preserves && propertiesOf(definition).length === 0) {
    errors.push(
      required(
        path.child('properties'),
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    );
  }
}

/** Of apiVersion, kind and metadata, which are there anyway, a schema may only restrict the name. */
function checkIdentity(
  definition: SchemaDefinition,
  level: Level,
  path: FieldPath,
  errors: FieldError[],
): void {
  const isObject = level === 'root' || definition['x-kubernetes-embedded-resource'] === true;
  const properties = path.child('properties');
  for (const name of isObject ? ['kind', 'apiVersion'] : []) {
    const property = propertyOf(definition, name);
    if (property !== undefined && property.type !== 'string') {
      errors.push(invalid(properties.key(name).child('type'), property.type ?? '', 'must be string'));
    }
  }
  const metadata = propertyOf(definition, 'metadata');
  if (metadata === undefined) return;
  const at = properties.key('metadata');
  if (isObject && metadata.type !== 'object') {
    errors.push(invalid(at.child('type'), metadata.type ?? '', 'must be object'));
  }
  if (level === 'root' && !restrictsOnlyName(metadata)) {
    const detail =
      'must not specify anything other than name and generateName, but metadata is implicitly specified';
    errors.push(fieldForbidden(at, detail));
  }
}

function restrictsOnlyName(metadata: SchemaDefinition): boolean {
  const allowed = new Set(['type', 'default', 'properties']);
  const names = propertiesOf(metadata).map(([name]) => name);
  return (
    Object.keys(metadata).every((key) => allowed.has(key)) &&
    names.every((name) => name === 'name' || name === 'generateName')
  );
}

const isIntOrStringPair = (alternatives: readonly SchemaDefinition[] | undefined): boolean =>
  alternatives?.length === 2 &&
  ['integer', 'string'].every((type, i) => {
    const alternative = alternatives[i] ?? {};
    return alternative.type === type && Object.keys(alternative).length === 1;
  });

const isIntOrString = (definition: SchemaDefinition): boolean => isIntOrStringPair(definition.anyOf);
const isIntOrStringFirst = (definition: SchemaDefinition): boolean =>
  isIntOrStringPair(definition.allOf?.[0]?.anyOf);

function checkCombinations(
  definition: SchemaDefinition,
  skipAnyOf: boolean,
  skipFirstAllOf: boolean,
  path: FieldPath,
  errors: FieldError[],
): void {
  for (const [kind, alternatives] of combinations(definition)) {
    if (kind === 'anyOf' && skipAnyOf) continue;
    for (const [i, alternative] of alternatives.entries()) {
      const at = kind === 'not' ? path.child('not') : path.child(kind).index(i);
      checkNested(alternative, kind === 'allOf' && i === 0 && skipFirstAllOf, at, errors);
    }
  }
  const { pattern } = definition;
  if (pattern === undefined || pattern === '') return;
  const compiled = compilePattern(pattern);
  if (compiled instanceof Error) {
    const detail = `must be a valid regular expression, but isn't: ${compiled.message}`;
    errors.push(invalid(path.child('pattern'), pattern, detail));
  }
}

type Combination = 'anyOf' | 'allOf' | 'oneOf' | 'not';

const combinations = (
  definition: SchemaDefinition,
): readonly (readonly [Combination, readonly SchemaDefinition[]])[] => [
  ['anyOf', definition.anyOf ?? []],
  ['allOf', definition.allOf ?? []],
  ['oneOf', definition.oneOf ?? []],
  ['not', definition.not === undefined ? [] : [definition.not]],
];

/** What must not stand inside a combination. */
const FORBIDDEN_INSIDE = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
] as const satisfies readonly (readonly [keyof SchemaDefinition, string])[];

function checkNested(
  definition: SchemaDefinition,
  skipAnyOf: boolean,
  path: FieldPath,
  errors: FieldError[],
): void {
  checkCombinations(definition, skipAnyOf, false, path, errors);
  const items = itemsOf(definition);
  if (items !== undefined) checkNested(items, false, path.child('items'), errors);
  for (const [name, property] of propertiesOf(definition)) {
    checkNested(property, false, path.child('properties').key(name), errors);
  }
  for (const [name, detail] of FORBIDDEN_INSIDE) {
    if (isSet(definition[name])) errors.push(fieldForbidden(path.child(name), detail));
  }
  if (propertyOf(definition, 'metadata') !== undefined) {
    const at = path.child('properties').key('metadata');
    errors.push(fieldForbidden(at, 'must not be specified in a nested context'));
  }
}

const isSet = (value: unknown): boolean =>
  value !== undefined && value !== '' && value !== false && !(Array.isArray(value) && value.length === 0);

/** Whatever a combination speaks of is also declared outside of it. */
function checkCompleteness(
  restriction: SchemaDefinition,
  declared: SchemaDefinition | undefined,
  declaredPath: FieldPath,
  path: FieldPath,
  errors: FieldError[],
): void {
  for (const [kind, alternatives] of combinations(restriction)) {
    for (const [i, alternative] of alternatives.entries()) {
      const at = kind === 'not' ? path.child('not') : path.child(kind).index(i);
      checkDeclared(alternative, declared, declaredPath, at, errors);
    }
  }
}

function checkDeclared(
  restriction: SchemaDefinition,
  declared: SchemaDefinition | undefined,
  declaredPath: FieldPath,
  path: FieldPath,
  errors: FieldError[],
): void {
  if (declared === undefined) {
    errors.push(required(declaredPath, `because it is defined in ${path}`));
    return;
  }
  checkCompleteness(restriction, declared, declaredPath, path, errors);
  const items = itemsOf(restriction);
  if (items !== undefined) {
    checkDeclared(items, itemsOf(declared), declaredPath.child('items'), path.child('items'), errors);
  }
  for (const [name, property] of propertiesOf(restriction)) {
    const at = path.child('properties').key(name);
    checkDeclared(
      property,
      propertyOf(declared, name),
      declaredPath.child('properties').key(name),
      at,
      errors,
    );
  }
}
