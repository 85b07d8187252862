/** The `ephemeralcontainers` subresource: containers are added, never changed or removed. */
import { deepEqual, type FieldError, FieldPath, fieldForbidden } from '#machinery';
import type { coreV1 } from '../../../types/index.ts';
import { type Errors, ROOT } from '../../field-rules.ts';
import { specDiff } from '../../spec-diff.ts';
import { MIRROR_POD } from './annotations.ts';

const path = new FieldPath('spec.ephemeralContainers');

export function checkEphemeralUpdate(
  pod: coreV1.Pod,
  old: coreV1.Pod,
  errors: Errors,
): readonly FieldError[] {
  if (old.metadata.annotations?.[MIRROR_POD] !== undefined) {
    return [fieldForbidden(ROOT, 'static pods do not support ephemeral containers')];
  }
  for (const container of old.spec.ephemeralContainers ?? []) {
    const next = pod.spec.ephemeralContainers?.find(({ name }) => name === container.name);
    const subject = `existing ephemeral containers ${JSON.stringify(container.name)} may not be`;
    if (next === undefined) errors.push(fieldForbidden(path, `${subject} removed\n`));
    else if (!deepEqual(next, container)) {
      errors.push(fieldForbidden(path, `${subject} changed\n${specDiff(container, next)}`));
    }
  }
  return errors;
}
