/** Rules that options obey before anything else happens; upstream's words. */
import {
  type FieldError,
  fieldForbidden,
  invalidObject,
  type ListOptions,
  notSupported,
  type PatchOptions,
  required,
  type WatchOptions,
} from '#machinery';
import { FieldPath } from '#machinery';
import { validateManager } from '../registry/metadata-validation.ts';

const MATCHES = ['Exact', 'NotOlderThan'];
const MATCH = 'resourceVersionMatch';

function refuse(kind: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidObject({ group: 'meta.k8s.io', kind }, '', errors);
}

export function validateListOptions(options: WatchOptions): void {
  const { sendInitialEvents } = options;
  if (options.resourceVersionMatch === undefined && sendInitialEvents === undefined) return;
  const errors =
    options.resourceVersionMatch === undefined ? [] : matchErrors(options, options.resourceVersionMatch);
  if (sendInitialEvents !== undefined) {
    errors.push(fieldForbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  refuse('ListOptions', errors);
}

function matchErrors(options: ListOptions, resourceVersionMatch: string): FieldError[] {
  const { resourceVersion = '' } = options;
  const errors: FieldError[] = [];
  if (resourceVersion === '') {
    errors.push(
      fieldForbidden(MATCH, 'resourceVersionMatch is forbidden unless resourceVersion is provided'),
    );
  }
  if ((options.continue ?? '') !== '') {
    errors.push(fieldForbidden(MATCH, 'resourceVersionMatch is forbidden when continue is provided'));
  }
  if (!MATCHES.includes(resourceVersionMatch))
    errors.push(notSupported(MATCH, resourceVersionMatch, [...MATCHES, '']));
  if (resourceVersionMatch === 'Exact' && resourceVersion === '0') {
    errors.push(fieldForbidden(MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  return errors;
}

export function validateWatchOptions(options: WatchOptions): void {
  const { resourceVersionMatch, sendInitialEvents } = options;
  const errors: FieldError[] = [];
  if (sendInitialEvents !== undefined && resourceVersionMatch !== 'NotOlderThan') {
    errors.push(
      fieldForbidden(MATCH, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'),
    );
  }
  if (resourceVersionMatch !== undefined) {
    if (sendInitialEvents === undefined) {
      errors.push(
        fieldForbidden(
          MATCH,
          'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
        ),
      );
    }
    if (resourceVersionMatch !== 'NotOlderThan') {
      errors.push(notSupported(MATCH, resourceVersionMatch, ['NotOlderThan']));
    }
    if ((options.continue ?? '') !== '') {
      errors.push(fieldForbidden(MATCH, 'resourceVersionMatch is forbidden when continue is provided'));
    }
  }
  refuse('ListOptions', errors);
}

const VALIDATIONS = ['Ignore', 'Strict', 'Warn'];

/** `kind`: CreateOptions, UpdateOptions or PatchOptions. */
export function validateWriteOptions(kind: string, options: PatchOptions, isApply = false): void {
  const errors: FieldError[] = [];
  if (kind === 'PatchOptions') {
    if (isApply && (options.fieldManager ?? '') === '')
      errors.push(required('fieldManager', 'is required for apply patch'));
    if (!isApply && options.force !== undefined) {
      errors.push(fieldForbidden('force', 'may not be specified for non-apply patch'));
    }
  }
  if (options.fieldManager !== undefined) {
    errors.push(...validateManager(options.fieldManager, new FieldPath('fieldManager')));
  }
  if (options.fieldValidation !== undefined && !VALIDATIONS.includes(options.fieldValidation)) {
    errors.push(notSupported('fieldValidation', options.fieldValidation, ['', ...VALIDATIONS]));
  }
  refuse(kind, errors);
}
