/** How the API server answers patches it cannot take. */
import { badRequest, StatusError } from '../status-error.ts';

/** The patch itself is not of its media type's form. */
export const undecodablePatch = (why: string): StatusError => badRequest(`error decoding patch: ${why}`);

/**
 * The patch is well formed and does not fit the object. Upstream tells the client nothing more than this
 * sentence; the reason is kept as `cause`.
 */
export function unprocessablePatch(why: string): StatusError {
  return new StatusError(
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
    {},
    new Error(why),
  );
}

export function patchTooLarge(message: string): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`);
}

/** Strategic merge errors that upstream never classified and answers with 500: the fault is the client's. */
export const unclassifiedPatchError = (message: string): StatusError => badRequest(message);
