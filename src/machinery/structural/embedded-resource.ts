/** Objects inside a custom resource that have a type of their own (`x-kubernetes-embedded-resource`). */
import { type FieldError, invalid, required } from '../field-error.ts';
import { additionalOf, itemsOf, propertyOf, type SchemaDefinition } from './definition.ts';

export function embeddedResourceErrors(
  definition: SchemaDefinition,
  value: unknown,
  path: string,
): readonly FieldError[] {
  if (Array.isArray(value)) {
    const items = itemsOf(definition);
    if (items === undefined) return [];
    return value.flatMap((item, i) => embeddedResourceErrors(items, item, `${path}[${i}]`));
  }
  if (typeof value !== 'object' || value === null) return [];
  const members = value as Readonly<Record<string, unknown>>;
  const own = definition['x-kubernetes-embedded-resource'] === true ? identityErrors(members, path) : [];
  const additional = additionalOf(definition);
  const inner = Object.entries(members).flatMap(([name, member]) => {
    const property = propertyOf(definition, name);
    if (property !== undefined) {
      return embeddedResourceErrors(property, member, path === '' ? name : `${path}.${name}`);
    }
    return additional === undefined ? [] : embeddedResourceErrors(additional, member, `${path}[${name}]`);
  });
  return [...own, ...inner];
}

function identityErrors(members: Readonly<Record<string, unknown>>, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const name of ['apiVersion', 'kind']) {
    const at = path === '' ? name : `${path}.${name}`;
    const value = members[name];
    if (!Object.hasOwn(members, name)) errors.push(required(at));
    else if (typeof value !== 'string') errors.push(invalid(at, value, 'must be a string'));
    else if (value === '') errors.push(invalid(at, value, 'must not be empty'));
    else if (name === 'apiVersion' && value.split('/').length > 2) {
      errors.push(invalid(at, value, `unexpected GroupVersion string: ${value}`));
    } else if (name === 'kind' && !/^[a-zA-Z](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/.test(value)) {
      errors.push(invalid(at, value, `may have mixed case, but should otherwise match: ${KIND_RULE}`));
    }
  }
  return errors;
}

const KIND_RULE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
