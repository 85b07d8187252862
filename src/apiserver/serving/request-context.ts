import type { UserInfo } from '#machinery';
import type { Exchange, ResponseHeaders } from './exchange.ts';

/** One request on its way through the server. */
export interface RequestContext {
  readonly exchange: Exchange;
  readonly user: UserInfo;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** What every answer carries. */
  readonly headers: ResponseHeaders;
}

/** Field manager of writes that name none: the client program's name, as upstream takes it from the user agent. */
export function managerOfUserAgent(userAgent: string | readonly string[] | undefined): string {
  if (typeof userAgent !== 'string' || userAgent === '') return 'unknown';
  const slash = userAgent.indexOf('/');
  const name = slash < 0 ? userAgent : userAgent.slice(0, slash);
  return name.replaceAll(/\p{C}/gu, '').slice(0, 128);
}

/** RFC 9111 `Warning` header values, code 299. */
export function warningHeaders(texts: readonly string[]): readonly string[] {
  return texts.map((text) => `299 - ${JSON.stringify(text.replaceAll(/[\r\n]+/g, ' '))}`);
}
