/** Defaults of a schema must themselves satisfy it, and have no field that would be pruned. */
import { sameValue } from '../apply/same-value.ts';
import { type FieldError, type FieldPath, invalid } from '../field-error.ts';
import { additionalOf, itemsOf, propertiesOf, propertyOf, type SchemaDefinition } from './definition.ts';
import { validateDefinedValue } from './value-validation.ts';

export function defaultErrors(definition: SchemaDefinition, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [];
  collect(definition, path, errors);
  return errors;
}

function collect(definition: SchemaDefinition, path: FieldPath, errors: FieldError[]): void {
  if (definition.default !== undefined) errors.push(...ownErrors(definition, path.child('default')));
  const items = itemsOf(definition);
  if (items !== undefined) collect(items, path.child('items'), errors);
  for (const [name, property] of propertiesOf(definition)) {
    collect(property, path.child('properties').key(name), errors);
  }
  const additional = additionalOf(definition);
  if (additional !== undefined) collect(additional, path.child('additionalProperties'), errors);
}

function ownErrors(definition: SchemaDefinition, path: FieldPath): readonly FieldError[] {
  const value = definition.default;
  const unknown = sameValue(pruned(definition, value), value)
    ? []
    : [invalid(path, value, 'must not have unknown fields')];
  return [...unknown, ...validateDefinedValue(definition, value, String(path))];
}

function pruned(definition: SchemaDefinition, value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = itemsOf(definition);
    return items === undefined ? value : value.map((item) => pruned(items, item));
  }
  if (typeof value !== 'object' || value === null) return value;
  const preserves = definition['x-kubernetes-preserve-unknown-fields'] === true;
  const additional = additionalOf(definition);
  const kept = Object.entries(value).flatMap(([name, member]): [string, unknown][] => {
    const property = propertyOf(definition, name) ?? additional;
    if (property !== undefined) return [[name, pruned(property, member)]];
    const isIdentity =
      definition['x-kubernetes-embedded-resource'] === true &&
      ['apiVersion', 'kind', 'metadata'].includes(name);
    return preserves || isIdentity || definition.additionalProperties === true ? [[name, member]] : [];
  });
  return Object.fromEntries(kept);
}
