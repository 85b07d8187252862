/** The objects a list, watch or deletecollection is about, from its options. */
import { selectableFieldName } from '#api';
import {
  badRequest,
  labelSelectorMatches,
  type ListOptions,
  parseFieldSelector,
  parseLabelSelector,
} from '#machinery';
import type { ServedResource } from '../registry/served-resource.ts';
import { type FieldRequirement, Selection } from '../watch-cache/selection.ts';

/** @throws StatusError 400 for selectors that cannot be parsed or name fields that cannot be selected by. */
export function selectionOf(
  served: ServedResource,
  namespace: string | undefined,
  options: ListOptions = {},
): Selection {
  const { labelSelector = '', fieldSelector = '' } = options;
  const { stored } = served;
  return new Selection({
    namespace: stored.namespaced ? namespace : undefined,
    labelSelector,
    matchLabels: labelSelector === '' ? undefined : labelMatcher(labelSelector),
    fields: fieldSelector === '' ? [] : fieldRequirements(served, fieldSelector),
    fieldsOf: stored.fieldsOf,
  });
}

function labelMatcher(text: string): (labels: Readonly<Record<string, string>>) => boolean {
  const parsed = parseLabelSelector(text);
  return (labels) => labelSelectorMatches(parsed, labels);
}

function fieldRequirements(served: ServedResource, text: string): readonly FieldRequirement[] {
  return parseFieldSelector(text).map((requirement) => {
    const { field } = requirement;
    if (field === 'metadata.name' || field === 'metadata.namespace') return requirement;
    const stored = selectableFieldName(served.info, field);
    if (stored === undefined || !served.stored.selectableFields.includes(stored)) {
      throw badRequest(unsupportedField(served, field));
    }
    return { ...requirement, field: stored };
  });
}

function unsupportedField(served: ServedResource, field: string): string {
  const { selectableFields, isCustom } = served.stored;
  if (isCustom) return `field label not supported: ${field}`;
  if (selectableFields.length === 0) {
    return `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`;
  }
  return `field label not supported: ${field}`;
}

/** The name that `metadata.name=x` selects, which authorization sees as the name of the request. */
export function selectedName(fieldSelector: string | undefined): string | undefined {
  if (fieldSelector === undefined || !fieldSelector.includes('metadata.name')) return undefined;
  return parseFieldSelector(fieldSelector).find(({ field, op }) => field === 'metadata.name' && op === '=')
    ?.value;
}
