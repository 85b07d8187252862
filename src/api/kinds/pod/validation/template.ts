/** `spec.template` of everything that makes pods. */
import { type FieldPath, fieldForbidden, required } from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import type { Errors } from '../../field-rules.ts';
import { checkAnnotations, checkLabels } from '../../metadata-rules.ts';
import { checkPodAnnotations, checkProfilesAgree } from './annotations.ts';
import { checkPodSpec } from './pod-spec.ts';

const NOTHING: coreV1.PodSpec = { containers: [] };

/** @param old the template that is there; it may keep certain things that new ones may not have. */
export function checkPodTemplate(
  template: coreV1.PodTemplateSpec,
  old: coreV1.PodTemplateSpec | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  const { metadata, spec = NOTHING } = template;
  checkLabels(metadata?.labels, at.child('labels'), errors);
  checkAnnotations(metadata?.annotations, at.child('annotations'), errors);
  checkPodAnnotations(metadata?.annotations, spec, at.child('annotations'), errors);
  checkPodSpec(spec, old?.spec === undefined ? {} : { old: old.spec }, at.child('spec'), errors);
  checkProfilesAgree(metadata?.annotations, spec, at.child('spec'), errors);
  if ((spec.ephemeralContainers ?? []).length > 0) {
    const why = 'ephemeral containers not allowed in pod template';
    errors.push(fieldForbidden(at.child('spec', 'ephemeralContainers'), why));
  }
}

export function checkOptionalPodTemplate(
  template: coreV1.PodTemplateSpec | undefined,
  old: coreV1.PodTemplateSpec | undefined,
  at: FieldPath,
  errors: Errors,
): void {
  if (template === undefined) errors.push(required(at));
  else checkPodTemplate(template, old, at, errors);
}
