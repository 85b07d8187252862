/** Groups of the Kubernetes community (`*.k8s.io`, `*.kubernetes.io`) take definitions that passed its API review. */
import { FieldPath, invalid, required } from '#machinery';
import { type Errors } from '../field-rules.ts';

const ANNOTATION = 'api-approved.kubernetes.io';
const SEE = 'see https://github.com/kubernetes/enhancements/pull/1111';

type Annotations = Readonly<Record<string, string>> | undefined;
type Approval = 'approved' | 'bypassed' | 'missing' | 'invalid';

const isProtected = (group: string): boolean => /(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group);

function approvalOf(annotations: Annotations): Approval {
  const value = annotations?.[ANNOTATION] ?? '';
  if (value === '') return 'missing';
  if (value.startsWith('unapproved')) return 'bypassed';
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#]+/i.test(value) ? 'approved' : 'invalid';
}

export function checkApproval(
  group: string,
  annotations: Annotations,
  oldAnnotations: Annotations,
  isUpdate: boolean,
  errors: Errors,
): void {
  if (!isProtected(group)) return;
  const approval = approvalOf(annotations);
  if (isUpdate && approval === approvalOf(oldAnnotations)) return;
  const path = new FieldPath('metadata.annotations').key(ANNOTATION);
  const lead = `protected groups must have approval annotation "${ANNOTATION}"`;
  if (approval === 'missing') errors.push(required(path, `${lead}, ${SEE}`));
  else if (approval === 'invalid') {
    const why = `${lead} with either a URL or a reason starting with "unapproved", ${SEE}`;
    errors.push(invalid(path, annotations?.[ANNOTATION], why));
  }
}
