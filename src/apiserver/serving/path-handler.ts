/** Requests on paths that are not resources. */
import { notAllowed } from '../endpoints/generic-error.ts';
import type { RequestContext } from './request-context.ts';

export interface PathRoute {
  readonly path: string;
  /** Also everything below. Exact routes come first. */
  readonly isPrefix?: boolean;
  handle(context: RequestContext): void | Promise<void>;
}

export class PathHandler {
  readonly #exact = new Map<string, PathRoute>();
  readonly #prefixes: readonly PathRoute[];

  constructor(routes: readonly PathRoute[]) {
    for (const route of routes) this.#exact.set(route.path, route);
    this.#prefixes = routes
      .filter(({ isPrefix }) => isPrefix === true)
      .sort((a, b) => b.path.length - a.path.length);
  }

  async handle(context: RequestContext): Promise<void> {
    const { path } = context;
    const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
    const route =
      this.#exact.get(path) ??
      this.#exact.get(trimmed) ??
      this.#prefixes.find((known) => path.startsWith(known.path));
    const { method } = context.exchange;
    if (route === undefined) {
      throw path.startsWith('/api') && method === 'OPTIONS' ? notAllowed() : new PathNotFoundError();
    }
    if (method !== 'GET' && method !== 'HEAD') throw notAllowed();
    await route.handle(context);
  }
}

/** Nothing is served at this path: answered in plain text. */
export class PathNotFoundError extends Error {
  constructor() {
    super('404 page not found');
    this.name = 'PathNotFoundError';
  }
}

/** Answers with text. */
export function respondText(
  context: RequestContext,
  code: number,
  text: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  context.exchange.respond(code, { ...context.headers, 'content-type': contentType }, Buffer.from(text));
}

export function respondJson(context: RequestContext, document: unknown): void {
  const pretty = context.query.has('pretty');
  const text = pretty ? JSON.stringify(document, null, 2) : JSON.stringify(document);
  respondText(context, 200, text, 'application/json');
}
