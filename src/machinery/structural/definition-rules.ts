/** What the schema of a CustomResourceDefinition may contain: the rules of OpenAPI v3 and of list and map types. */
import {
  type FieldError,
  type FieldPath,
  fieldForbidden,
  invalid,
  notSupported,
  required,
} from '../field-error.ts';
import {
  additionalOf,
  itemsOf,
  propertiesOf,
  type SchemaDefinition,
  type ValidationRule,
} from './definition.ts';
import { defaultErrors } from './default-rules.ts';
import { structuralErrors } from './structural-rules.ts';

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const IDENTITY_FIELDS: ReadonlySet<string> = new Set(['metadata', 'kind', 'apiVersion']);
const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

/**
 * Errors of a version's `openAPIV3Schema`, in upstream's words; none when it can be compiled.
 * CEL rules are checked for their form, not compiled.
 * @param path of the schema: `spec.versions[0].schema.openAPIV3Schema`.
 */
export function validateStructuralSchemaDefinition(
  definition: SchemaDefinition,
  path: FieldPath,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (definition.nullable === true) {
    errors.push(fieldForbidden(path.child('nullable'), 'nullable cannot be true at the root'));
  }
  const unsupported = firstUnsupported(definition);
  if (unsupported === undefined) {
    const structural = structuralErrors(definition, path);
    errors.push(...structural);
    if (structural.length === 0) errors.push(...defaultErrors(definition, path));
  }
  checkDefinition(definition, path, { isRoot: true }, errors);
  if (errors.length === 0 && unsupported !== undefined) {
    errors.push(invalid(path, '', `OpenAPIV3Schema '${unsupported}' is not supported`));
  }
  return errors;
}

interface Place {
  readonly isRoot?: boolean;
  readonly insideMetadata?: boolean;
  /** Why a default is forbidden here. */
  readonly noDefaults?: string;
}

const UNSUPPORTED = [
  ['id', 'id'],
  ['$schema', 'schema'],
  ['$ref', '$ref'],
  ['patternProperties', 'patternProperties'],
  ['dependencies', 'dependencies'],
  ['additionalItems', 'additionalItems'],
  ['definitions', 'definitions'],
] as const satisfies readonly (readonly [keyof SchemaDefinition, string])[];

function firstUnsupported(definition: SchemaDefinition): string | undefined {
  const own = UNSUPPORTED.find(([name]) => definition[name] !== undefined);
  if (own !== undefined) return own[1];
  for (const child of childrenOf(definition)) {
    const found = firstUnsupported(child);
    if (found !== undefined) return found;
  }
  return undefined;
}

function childrenOf(definition: SchemaDefinition): readonly SchemaDefinition[] {
  return [
    itemsOf(definition),
    additionalOf(definition),
    definition.not,
    ...propertiesOf(definition).map(([, property]) => property),
    ...(definition.allOf ?? []),
    ...(definition.anyOf ?? []),
    ...(definition.oneOf ?? []),
  ].filter((child) => child !== undefined);
}

function checkDefinition(
  definition: SchemaDefinition,
  path: FieldPath,
  place: Place,
  errors: FieldError[],
): void {
  checkStandard(definition, path, place, errors);
  if (definition.uniqueItems === true) {
    const detail = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    errors.push(fieldForbidden(path.child('uniqueItems'), detail));
  }
  checkChildren(definition, path, place, errors);
  if (definition['x-kubernetes-preserve-unknown-fields'] === false) {
    const at = path.child('x-kubernetes-preserve-unknown-fields');
    errors.push(invalid(at, false, 'must be true or undefined'));
  }
  checkMapType(definition, path, errors);
  checkListType(definition, path, errors);
  for (const [i, rule] of (definition['x-kubernetes-validations'] ?? []).entries()) {
    checkRule(rule, path.child('x-kubernetes-validations').index(i), errors);
  }
}

function checkStandard(
  definition: SchemaDefinition,
  path: FieldPath,
  place: Place,
  errors: FieldError[],
): void {
  const { type = '' } = definition;
  if (type !== '' && !TYPES.includes(type)) errors.push(notSupported(path.child('type'), type, TYPES));
  if (definition.default !== undefined && place.noDefaults !== undefined) {
    errors.push(fieldForbidden(path.child('default'), `must not be set ${place.noDefaults}`));
  }
  for (const name of [
    'id',
    'additionalItems',
    'patternProperties',
    'definitions',
    'dependencies',
    '$ref',
  ] as const) {
    if (definition[name] !== undefined) {
      errors.push(fieldForbidden(path.child(name), `${name} is not supported`));
    }
  }
  if (type === 'null') {
    const detail = 'type cannot be set to null, use nullable as an alternative';
    errors.push(fieldForbidden(path.child('type'), detail));
  }
  if (Array.isArray(definition.items)) {
    errors.push(fieldForbidden(path.child('items'), 'items must be a schema object and not an array'));
  }
  if (place.insideMetadata === true && definition['x-kubernetes-embedded-resource'] === true) {
    const at = path.child('x-kubernetes-embedded-resource');
    errors.push(fieldForbidden(at, 'must not be used inside of resource meta'));
  }
}

function checkChildren(
  definition: SchemaDefinition,
  path: FieldPath,
  place: Place,
  errors: FieldError[],
): void {
  const inherited: Place = { ...place, isRoot: false };
  const additional = additionalOf(definition);
  const properties = propertiesOf(definition);
  if (definition.additionalProperties !== undefined && definition.additionalProperties !== true) {
    if (properties.length > 0) {
      const at = path.child('additionalProperties');
      errors.push(fieldForbidden(at, 'additionalProperties and properties are mutual exclusive'));
    }
  }
  if (additional !== undefined) {
    const noDefaults = 'inside additionalProperties applying to object metadata';
    const below = place.insideMetadata === true ? { ...inherited, noDefaults } : inherited;
    checkDefinition(additional, path.child('additionalProperties'), below, errors);
  }
  const isObject = place.isRoot === true || definition['x-kubernetes-embedded-resource'] === true;
  for (const [name, property] of properties) {
    const isIdentity = isObject && IDENTITY_FIELDS.has(name);
    const noDefaults = isIdentity && place.isRoot === true ? `in top-level ${name}` : place.noDefaults;
    const below: Place = {
      ...inherited,
      ...(isIdentity ? { insideMetadata: true } : {}),
      ...(noDefaults === undefined ? {} : { noDefaults }),
    };
    checkDefinition(property, path.child('properties').key(name), below, errors);
  }
  if (definition.not !== undefined) checkDefinition(definition.not, path.child('not'), inherited, errors);
  for (const kind of ['allOf', 'oneOf', 'anyOf'] as const) {
    for (const [i, alternative] of (definition[kind] ?? []).entries()) {
      checkDefinition(alternative, path.child(kind).index(i), inherited, errors);
    }
  }
  const items = itemsOf(definition);
  if (items !== undefined) checkDefinition(items, path.child('items'), inherited, errors);
}

function checkMapType(definition: SchemaDefinition, path: FieldPath, errors: FieldError[]): void {
  const mapType = definition['x-kubernetes-map-type'];
  if (mapType === undefined) return;
  const { type = '' } = definition;
  if (type !== 'object') {
    const detail = 'must be object if x-kubernetes-map-type is specified';
    const at = path.child('type');
    errors.push(type === '' ? required(at, detail) : invalid(at, type, detail));
  }
  if (mapType !== 'atomic' && mapType !== 'granular') {
    errors.push(notSupported(path.child('x-kubernetes-map-type'), mapType, ['atomic', 'granular']));
  }
}

function checkListType(definition: SchemaDefinition, path: FieldPath, errors: FieldError[]): void {
  const listType = definition['x-kubernetes-list-type'];
  const keys = definition['x-kubernetes-list-map-keys'] ?? [];
  const at = path.child('x-kubernetes-list-type');
  const { type = '' } = definition;
  if (listType !== undefined && type !== 'array') {
    const detail = 'must be array if x-kubernetes-list-type is specified';
    errors.push(
      type === '' ? required(path.child('type'), detail) : invalid(path.child('type'), type, detail),
    );
  } else if (listType === 'set') {
    checkSetItems(definition, path.child('items'), errors);
  }
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType)) {
    errors.push(notSupported(at, listType, ['atomic', 'set', 'map']));
  }
  if (keys.length > 0 && listType !== 'map') {
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty';
    errors.push(listType === undefined ? required(at, detail) : invalid(at, listType, detail));
  }
  if (listType === 'map') checkMapItems(definition, keys, path, errors);
  if (listType === 'map' || listType === 'set')
    checkItemNullability(definition, listType, keys, path, errors);
}

function checkSetItems(definition: SchemaDefinition, path: FieldPath, errors: FieldError[]): void {
  const items = itemsOf(definition);
  const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const listType = items?.['x-kubernetes-list-type'];
  if (items?.type === 'array' && listType !== undefined && listType !== 'atomic') {
    errors.push(invalid(path.child('x-kubernetes-list-type'), listType, detail));
  }
  if (items?.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic') {
    errors.push(invalid(path.child('x-kubernetes-map-type'), listType, detail));
  }
}

function checkMapItems(
  definition: SchemaDefinition,
  keys: readonly string[],
  path: FieldPath,
  errors: FieldError[],
): void {
  const at = path.child('x-kubernetes-list-map-keys');
  if (keys.length === 0) {
    errors.push(required(at, 'must not be empty if x-kubernetes-list-type is map'));
  }
  const items = itemsOf(definition);
  if (items === undefined) {
    errors.push(
      definition.items === undefined
        ? required(path.child('items'), 'must have a schema if x-kubernetes-list-type is map')
        : invalid(
            path.child('items'),
            definition.items,
            'must only have a single schema if x-kubernetes-list-type is map',
          ),
    );
    return;
  }
  if (items.type !== 'object') {
    const detail = "must be object if parent array's x-kubernetes-list-type is map";
    errors.push(invalid(path.child('items').child('type'), items.type ?? '', detail));
    return;
  }
  for (const [i, key] of keys.entries()) {
    const property = items.properties?.[key];
    if (property === undefined) {
      errors.push(invalid(at, keys, 'entries must all be names of item properties'));
    } else if (property.type === 'array' || property.type === 'object') {
      const detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      const typePath = path.child('items').child('properties').key(key).child('type');
      errors.push(invalid(typePath, items.type, detail));
    }
    if (keys.indexOf(key) < i) errors.push(invalid(at, keys, 'must not contain duplicate entries'));
  }
}

function checkItemNullability(
  definition: SchemaDefinition,
  listType: string,
  keys: readonly string[],
  path: FieldPath,
  errors: FieldError[],
): void {
  const items = itemsOf(definition);
  if (items === undefined) return;
  const itemsPath = path.child('items');
  if (items.nullable === true) {
    const detail = `cannot be nullable when x-kubernetes-list-type is ${listType}`;
    errors.push(fieldForbidden(itemsPath.child('nullable'), detail));
  }
  for (const key of listType === 'map' ? keys : []) {
    const property = items.properties?.[key];
    if (property === undefined) continue;
    const at = itemsPath.child('properties').key(key);
    const isKey = 'this property is in x-kubernetes-list-map-keys, so it';
    if (items.required?.includes(key) !== true && property.default === undefined) {
      errors.push(required(at.child('default'), `${isKey} must have a default or be a required property`));
    }
    if (property.nullable === true) {
      errors.push(fieldForbidden(at.child('nullable'), `${isKey} cannot be nullable`));
    }
  }
}

const hasLineBreak = (text: string): boolean => /[\r\n]/.test(text);

function checkRule(rule: ValidationRule, path: FieldPath, errors: FieldError[]): void {
  const text = rule.rule.trim();
  const { message = '', messageExpression = '', fieldPath = '' } = rule;
  if (text === '') {
    errors.push(required(path.child('rule'), 'rule is not specified'));
  } else if (message !== '' && message.trim() === '') {
    errors.push(invalid(path.child('message'), message, 'must be non-empty if specified'));
  } else if (hasLineBreak(message.trim())) {
    errors.push(invalid(path.child('message'), message, 'must not contain line breaks'));
  } else if (hasLineBreak(text) && message.trim() === '') {
    errors.push(required(path.child('message'), 'message must be specified if rule contains line breaks'));
  }
  if (messageExpression !== '' && messageExpression.trim() === '') {
    const detail = 'messageExpression must be non-empty if specified';
    errors.push(required(path.child('messageExpression'), detail));
  }
  if (rule.reason !== undefined && !REASONS.includes(rule.reason)) {
    errors.push(notSupported(path.child('reason'), rule.reason, REASONS));
  }
  if (fieldPath !== '' && fieldPath.trim() === '') {
    errors.push(invalid(path.child('fieldPath'), fieldPath, 'must be non-empty if specified'));
  }
  if (hasLineBreak(fieldPath)) {
    errors.push(invalid(path.child('fieldPath'), fieldPath, 'must not contain line breaks'));
  }
}
