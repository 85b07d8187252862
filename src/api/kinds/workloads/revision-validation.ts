/** ControllerRevision. */
import { type FieldError, FieldPath, required } from '#machinery';
import type { appsV1 } from '../../types/index.ts';
import { checkImmutable, checkNonNegative, collect } from '../field-rules.ts';

const revisionPath = new FieldPath('revision');
const dataPath = new FieldPath('data');

export const validateControllerRevision = ({
  revision,
  data,
}: appsV1.ControllerRevision): readonly FieldError[] =>
  collect((errors) => {
    checkNonNegative(revision, revisionPath, errors);
    const value: unknown = data;
    if (value === undefined || value === null) errors.push(required(dataPath, 'data is mandatory'));
    else if (typeof value !== 'object' || Array.isArray(value)) {
      errors.push(required(dataPath, 'data must be a valid JSON object'));
    }
  });

export const validateControllerRevisionUpdate = (
  next: appsV1.ControllerRevision,
  old: appsV1.ControllerRevision,
): readonly FieldError[] =>
  collect((errors) => {
    checkNonNegative(next.revision, revisionPath, errors);
    checkImmutable(next.data, old.data, dataPath, errors);
  });
