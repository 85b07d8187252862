/** Labels, annotations, selectors and names wherever they stand in a spec. */
import {
  type FieldPath,
  fieldForbidden,
  invalid,
  type LabelSelectorObject,
  required,
  tooLong,
  validateDns1123Label,
  validateDns1123Subdomain,
  validateLabelValue,
  validateQualifiedName,
} from '#machinery';
import { addInvalid, type Errors, sortedEntries, sortedMap } from './field-rules.ts';

type Labels = Readonly<Record<string, string>>;

const MAX_ANNOTATIONS_BYTES = 256 * 1024;

export const checkDns1123Label = (value: string, at: FieldPath, errors: Errors): void =>
  addInvalid(validateDns1123Label(value), at, value, errors);

export const checkDns1123Subdomain = (value: string, at: FieldPath, errors: Errors): void =>
  addInvalid(validateDns1123Subdomain(value), at, value, errors);

export const checkQualifiedName = (value: string, at: FieldPath, errors: Errors): void =>
  addInvalid(validateQualifiedName(value), at, value, errors);

export function checkLabels(labels: Labels | undefined, at: FieldPath, errors: Errors): void {
  if (labels === undefined) return;
  for (const [key, value] of sortedEntries(labels)) {
    checkQualifiedName(key, at, errors);
    addInvalid(validateLabelValue(value), at, value, errors);
  }
}

export function checkAnnotations(annotations: Labels | undefined, at: FieldPath, errors: Errors): void {
  if (annotations === undefined) return;
  let totalBytes = 0;
  for (const [key, value] of sortedEntries(annotations)) {
    addInvalid(validateQualifiedName(key.toLowerCase()), at, key, errors);
    totalBytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (totalBytes > MAX_ANNOTATIONS_BYTES) errors.push(tooLong(at, MAX_ANNOTATIONS_BYTES));
}

export function checkLabelSelector(
  selector: LabelSelectorObject | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  if (selector === undefined) return;
  checkLabels(selector.matchLabels, at.child('matchLabels'), errors);
  for (const [i, requirement] of (selector.matchExpressions ?? []).entries()) {
    checkRequirement(requirement, at.child('matchExpressions').index(i), errors);
  }
}

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

function checkRequirement({ key, operator, values = [] }: Requirement, at: FieldPath, errors: Errors): void {
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) {
        errors.push(required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
      }
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) {
        const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
        errors.push(fieldForbidden(at.child('values'), why));
      }
      break;
    default:
      errors.push(invalid(at.child('operator'), operator, 'not a valid selector operator'));
  }
  checkQualifiedName(key, at.child('key'), errors);
  for (const [i, value] of values.entries()) {
    addInvalid(validateLabelValue(value), at.child('values').index(i), value, errors);
  }
}

/** As Go prints it: labels sorted. */
export const printedSelector = (selector: LabelSelectorObject): object => ({
  ...selector,
  ...(selector.matchLabels === undefined ? {} : { matchLabels: sortedMap(selector.matchLabels) }),
});

export const isEmptySelector = (selector: LabelSelectorObject): boolean =>
  Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions?.length ?? 0) === 0;

const TEMPLATE_METADATA = new Set(['annotations', 'labels']);
const ABSENT = new Set<unknown>([undefined, null, '', 0]);

/** Metadata of claim templates: labels and annotations, nothing else. */
export function checkTemplateMetadata(
  metadata: { readonly labels?: Labels; readonly annotations?: Labels } | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  checkAnnotations(metadata?.annotations, at.child('annotations'), errors);
  checkLabels(metadata?.labels, at.child('labels'), errors);
  for (const [name, value] of Object.entries(metadata ?? {})) {
    if (TEMPLATE_METADATA.has(name) || ABSENT.has(value)) continue;
    errors.push(fieldForbidden(at.child(name), 'cannot be set'));
  }
}
