/** `/healthz`, `/livez`, `/readyz`, each whole or check by check. */
import { PathNotFoundError, type PathRoute, respondText } from './path-handler.ts';
import type { RequestContext } from './request-context.ts';

export interface HealthCheck {
  readonly name: string;
  /** Undefined: well. Otherwise why not. */
  check(): string | undefined;
}

export function healthRoutes(checks: {
  readonly live: readonly HealthCheck[];
  readonly ready: readonly HealthCheck[];
}): readonly PathRoute[] {
  return [
    ...routesFor('healthz', checks.live),
    ...routesFor('livez', checks.live),
    ...routesFor('readyz', [...checks.live, ...checks.ready]),
  ];
}

function routesFor(endpoint: string, checks: readonly HealthCheck[]): readonly PathRoute[] {
  return [
    { path: `/${endpoint}`, handle: (context) => all(context, endpoint, checks) },
    {
      path: `/${endpoint}/`,
      isPrefix: true,
      handle: (context) => {
        const name = context.path.slice(endpoint.length + 2);
        const check = checks.find((known) => known.name === name);
        if (check === undefined) throw new PathNotFoundError();
        const reason = check.check();
        if (reason === undefined) respondText(context, 200, 'ok');
        else respondText(context, 500, `internal server error: ${reason}\n`);
      },
    },
  ];
}

function all(context: RequestContext, endpoint: string, checks: readonly HealthCheck[]): void {
  const excluded = new Set(context.query.getAll('exclude'));
  let isWell = true;
  const lines = checks.map((known) => {
    const { name } = known;
    if (excluded.has(name)) return `[+]${name} excluded: ok`;
    if (known.check() === undefined) return `[+]${name} ok`;
    isWell = false;
    return `[-]${name} failed: reason withheld`;
  });
  if (!isWell) return respondText(context, 500, `${lines.join('\n')}\n${endpoint} check failed\n`);
  if (context.query.has('verbose'))
    respondText(context, 200, `${lines.join('\n')}\n${endpoint} check passed\n`);
  else respondText(context, 200, 'ok');
}
