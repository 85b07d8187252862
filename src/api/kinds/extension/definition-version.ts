/** Parts of a version of a CustomResourceDefinition: columns, subresources, selectable fields, deprecation. */
import { deepEqual, duplicate, type FieldPath, invalid, required, tooMany } from '#machinery';
import type { apiextensionsV1 } from '../../types/index.ts';
import { checkPresent, type Errors, isEmpty } from '../field-rules.ts';

const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const COLUMN_FORMATS = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];

export function checkColumn(
  { name, type, format = '', jsonPath }: apiextensionsV1.CustomResourceColumnDefinition,
  at: FieldPath,
  errors: Errors,
): void {
  checkPresent(name, at.child('name'), errors);
  const oneOf = `must be one of ${COLUMN_TYPES.join(',')}`;
  if (checkPresent(type, at.child('type'), errors, oneOf) && !COLUMN_TYPES.includes(type)) {
    errors.push(invalid(at.child('type'), type, oneOf));
  }
  if (format !== '' && !COLUMN_FORMATS.includes(format)) {
    errors.push(invalid(at.child('format'), format, `must be one of ${COLUMN_FORMATS.join(',')}`));
  }
  const path = at.child('JSONPath');
  if (checkPresent(jsonPath, path, errors)) checkSimplePath(jsonPath, path, errors);
}

function checkSimplePath(jsonPath: string, at: FieldPath, errors: Errors): boolean {
  if (jsonPath.startsWith('.')) return true;
  errors.push(invalid(at, jsonPath, 'must be a simple json path starting with .'));
  return false;
}

export function checkSubresources(
  { scale }: apiextensionsV1.CustomResourceSubresources,
  at: FieldPath,
  errors: Errors,
): void {
  if (scale === undefined) return;
  for (const [field, parents, where] of [
    ['specReplicasPath', ['.spec.'], '.spec'],
    ['statusReplicasPath', ['.status.'], '.status'],
    ['labelSelectorPath', ['.spec.', '.status.'], 'either .spec or .status'],
  ] as const) {
    const value = scale[field];
    const path = at.child('scale', field);
    if (isEmpty(value) || value === undefined) {
      if (field !== 'labelSelectorPath') errors.push(required(path));
    } else if (checkSimplePath(value, path, errors) && !parents.some((parent) => value.startsWith(parent))) {
      errors.push(invalid(path, value, `should be a json path under ${where}`));
    }
  }
}

const MAX_SELECTABLE_FIELDS = 8;
const SELECTABLE_TYPES = ['string', 'boolean', 'integer'];
const NO_FIELD = 'does not refer to a valid field';

type Schema = apiextensionsV1.JSONSchemaProps;

export function checkSelectableFields(
  fields: readonly apiextensionsV1.SelectableField[],
  schema: Schema,
  at: FieldPath,
  errors: Errors,
): void {
  const seen: string[][] = [];
  for (const [i, { jsonPath }] of fields.entries()) {
    const path = at.index(i).child('jsonPath');
    if (!checkPresent(jsonPath, path, errors)) continue;
    const found = fieldAt(jsonPath, schema);
    if (typeof found === 'string') {
      errors.push(invalid(path, jsonPath, `is an invalid path: ${found}`));
      continue;
    }
    if (found.names[0] === 'metadata') {
      errors.push(invalid(path, jsonPath, 'must not point to fields in metadata'));
    }
    if (!SELECTABLE_TYPES.includes(found.schema.type ?? '')) {
      const why =
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
      errors.push(invalid(path, jsonPath, why));
    }
    if (seen.some((names) => deepEqual(names, found.names))) errors.push(duplicate(path, jsonPath));
    else seen.push(found.names);
  }
  if (seen.length > MAX_SELECTABLE_FIELDS) errors.push(tooMany(at, seen.length, MAX_SELECTABLE_FIELDS));
}

/** The schema of the field at `.spec.color`, or why there is none. */
function fieldAt(
  jsonPath: string,
  root: Schema,
): { readonly names: string[]; readonly schema: Schema } | string {
  if (jsonPath.includes('[')) return 'array notation is not allowed';
  if (!jsonPath.startsWith('.')) return `expected [ or . but got: ${jsonPath.split('.', 1)[0]}`;
  const names = jsonPath.slice(1).split('.');
  let schema = root;
  for (const name of names) {
    if (name === '') return 'unexpected end of JSON path';
    const next = ownProperty(schema, name);
    if (next === undefined) return NO_FIELD;
    schema = next;
  }
  return { names, schema };
}

const ownProperty = ({ properties }: Schema, name: string): Schema | undefined =>
  properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;

const MAX_WARNING = 256;

export function checkDeprecation(
  { deprecated, deprecationWarning: warning }: apiextensionsV1.CustomResourceDefinitionVersion,
  at: FieldPath,
  errors: Errors,
): void {
  if (warning === undefined) return;
  if (deprecated !== true) {
    errors.push(invalid(at, warning, 'can only be set for deprecated versions'));
    return;
  }
  if (Buffer.byteLength(warning) > MAX_WARNING) {
    errors.push(invalid(at, warning, `must be <= ${MAX_WARNING} characters long`));
  }
  if (warning === '') errors.push(invalid(at, warning, 'must not be an empty string'));
  const bad = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.exec(warning);
  if (bad === null) return;
  const index = Buffer.byteLength(warning.slice(0, bad.index));
  const why = `must only contain printable UTF-8 characters; non-printable character found at index ${index}`;
  errors.push(invalid(at, warning, why));
}
