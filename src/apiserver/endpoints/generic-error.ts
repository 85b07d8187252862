/** Failures that have no object to name, as upstream's generic answers word them. */
import { StatusError } from '#machinery';

export const notServed = (): StatusError =>
  new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});

export const notAllowed = (): StatusError =>
  new StatusError(
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {},
  );
