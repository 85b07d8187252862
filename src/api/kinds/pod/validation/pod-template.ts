import { type FieldError, FieldPath } from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import type { Errors } from '../../field-rules.ts';
import { checkPodTemplate } from './template.ts';

const path = new FieldPath('template');

/** The kind PodTemplate; an absent template is an empty one. */
export function validatePodTemplate(
  object: coreV1.PodTemplate,
  old: coreV1.PodTemplate | undefined,
): readonly FieldError[] {
  const errors: Errors = [];
  checkPodTemplate(object.template ?? {}, old?.template, path, errors);
  return errors;
}
