/**
 * Expected failures of an API request, as `metav1.Status` carries them.
 * Messages and reasons follow apimachinery's `api/errors` to the letter: clients and conformance compare them.
 * Callers ask the predicates; nobody matches message text.
 */
import { groupResourceName } from './object.ts';

export type StatusReason =
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Expired'
  | 'Invalid'
  | 'BadRequest'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'UnsupportedMediaType'
  | 'RequestEntityTooLarge'
  | 'TooManyRequests'
  | 'ServerTimeout'
  | 'Timeout'
  | 'ServiceUnavailable'
  | 'InternalError'
  | '';

export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** `metav1.Status`, the body of every failed request. */
export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  /** `continue`: with a 410 of a paged list, the token that goes on at the newest revision. */
  readonly metadata: { readonly continue?: string };
  readonly status: 'Failure' | 'Success';
  readonly message?: string;
  readonly reason?: StatusReason;
  readonly details?: StatusDetails;
  readonly code?: number;
}

export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

export interface GroupKind {
  readonly group: string;
  readonly kind: string;
}

/** A failed API request. Thrown by the server's request path and by every client. */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: StatusReason;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: StatusReason, message: string, details?: StatusDetails, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StatusError';
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }

  static fromStatus(status: Partial<Status>, fallbackCode = 500): StatusError {
    return new StatusError(
      status.code ?? fallbackCode,
      status.reason ?? '',
      status.message ?? 'unknown error',
      status.details,
    );
  }
}

const named = (gr: GroupResource, name: string): StatusDetails => ({
  name,
  ...(gr.group === '' ? {} : { group: gr.group }),
  kind: gr.resource,
});

export function notFound(gr: GroupResource, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${groupResourceName(gr)} "${name}" not found`, named(gr, name));
}

export function alreadyExists(gr: GroupResource, name: string): StatusError {
  return new StatusError(
    409,
    'AlreadyExists',
    `${groupResourceName(gr)} "${name}" already exists`,
    named(gr, name),
  );
}

export function conflict(gr: GroupResource, name: string, why: string): StatusError {
  return new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${groupResourceName(gr)} "${name}": ${why}`,
    named(gr, name),
  );
}

/** The object changed since the caller read it: what every optimistic writer must expect and retry. */
export function modifiedConflict(gr: GroupResource, name: string): StatusError {
  return conflict(
    gr,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );
}

export function forbidden(gr: GroupResource, name: string, why: string): StatusError {
  const subject = name === '' ? groupResourceName(gr) : `${groupResourceName(gr)} "${name}"`;
  return new StatusError(403, 'Forbidden', `${subject} is forbidden: ${why}`, {
    ...(name === '' ? {} : { name }),
    ...(gr.group === '' ? {} : { group: gr.group }),
    kind: gr.resource,
  });
}

export function unauthorized(message = 'Unauthorized'): StatusError {
  return new StatusError(401, 'Unauthorized', message);
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

export function methodNotAllowed(gr: GroupResource, verb: string): StatusError {
  return new StatusError(
    405,
    'MethodNotAllowed',
    `${verb} is not supported on resources of kind "${groupResourceName(gr)}"`,
    { ...(gr.group === '' ? {} : { group: gr.group }), kind: gr.resource },
  );
}

/** 410 `Expired`: the asked resourceVersion is no longer held; list again. */
export function expired(message: string): StatusError {
  return new StatusError(410, 'Expired', message);
}

export function tooManyRequests(message: string, retryAfterSeconds: number): StatusError {
  return new StatusError(429, 'TooManyRequests', message, { retryAfterSeconds });
}

export function timeout(message: string): StatusError {
  return new StatusError(504, 'Timeout', message);
}

export function internalError(cause: unknown): StatusError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new StatusError(
    500,
    'InternalError',
    `Internal error occurred: ${text}`,
    { causes: [{ message: text }] },
    cause,
  );
}

export const isStatusError = (e: unknown): e is StatusError => e instanceof StatusError;
export const isNotFound = (e: unknown): boolean => isStatusError(e) && e.reason === 'NotFound';
export const isAlreadyExists = (e: unknown): boolean => isStatusError(e) && e.reason === 'AlreadyExists';
export const isConflict = (e: unknown): boolean => isStatusError(e) && e.reason === 'Conflict';
export const isForbidden = (e: unknown): boolean => isStatusError(e) && e.reason === 'Forbidden';
export const isInvalid = (e: unknown): boolean => isStatusError(e) && e.reason === 'Invalid';
/** True for both 410 reasons: a watch or list must start over. */
export const isExpired = (e: unknown): boolean =>
  isStatusError(e) && (e.reason === 'Expired' || e.reason === 'Gone');
/** The namespace is being deleted and takes no new objects (cause `NamespaceTerminating`). */
export const isNamespaceTerminating = (e: unknown): boolean =>
  isForbidden(e) &&
  (e as StatusError).details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') === true;
