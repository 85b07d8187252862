import type { FieldPath } from '#machinery';
import { invalid } from '#machinery';
import { checkOneOf, type Errors } from '../../field-rules.ts';

export const checkPullPolicy = (policy: string | undefined, at: FieldPath, errors: Errors): void =>
  checkOneOf(policy, ['Always', 'IfNotPresent', 'Never'], at, errors);

/** Pods only: templates were never checked for it. */
export function checkImageWhitespace(image: string | undefined, at: FieldPath, errors: Errors): void {
  if (image !== undefined && image.trim() !== image) {
    errors.push(invalid(at, image, 'must not have leading or trailing whitespace'));
  }
}
