/** The opaque `continue` of a paged list: which revision the pages are of, and the key the next one starts at. */
import { badRequest } from '#machinery';
import type { Revision } from '#store';

export interface ContinueToken {
  /** -1: whatever is newest; the token of an inconsistent continuation. */
  readonly revision: Revision;
  /** Below the resource's prefix; the next page starts here, inclusive. */
  readonly startKey: string;
}

const TOKEN_VERSION = 'meta.k8s.io/v1';

export function encodeContinueToken(token: ContinueToken): string {
  const json = JSON.stringify({ v: TOKEN_VERSION, rv: token.revision, start: token.startKey });
  return Buffer.from(json).toString('base64url');
}

/** @throws StatusError 400 for anything this server did not hand out. */
export function decodeContinueToken(text: string): ContinueToken {
  const parsed = parseToken(text);
  if (parsed.v !== TOKEN_VERSION) {
    throw badRequest(
      `invalid continue token: continue key is not valid: server does not recognize this encoded version ${JSON.stringify(parsed.v ?? '').replaceAll('"', '')}`,
    );
  }
  if (typeof parsed.rv !== 'number' || parsed.rv === 0 || !Number.isSafeInteger(parsed.rv)) {
    throw badRequest(
      'invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)',
    );
  }
  if (typeof parsed.start !== 'string' || parsed.start === '') {
    throw badRequest(
      'invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)',
    );
  }
  const segments = parsed.start.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw badRequest(`invalid continue token: continue key is not valid: ${parsed.start}`);
  }
  return { revision: parsed.rv, startKey: parsed.start };
}

function parseToken(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>;
  } catch (cause) {
    throw badRequest(
      `invalid continue token: continue key is not valid: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
  throw badRequest('invalid continue token: continue key is not valid: not an object');
}
