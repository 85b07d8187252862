/** Everything served that is not a resource. */
import type { DiscoveryPaths } from '../discovery/discovery-paths.ts';
import type { ServedDocument } from '../options.ts';
import type { ResourceTable } from '../registry/resource-table.ts';
import { healthRoutes } from './health-paths.ts';
import { OpenApiPaths } from './openapi-paths.ts';
import { PathHandler, type PathRoute, respondJson, respondText } from './path-handler.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { versionInfo } from './version.ts';

export function serverPaths(options: {
  readonly discovery: DiscoveryPaths;
  readonly table: ResourceTable;
  readonly metrics: RequestMetrics;
  readonly isReady: () => boolean;
  readonly documents: readonly ServedDocument[];
  readonly platform: string;
}): PathHandler {
  const { discovery, metrics } = options;
  const well = { check: () => undefined };
  const version = versionInfo(options.platform);
  const openApi = new OpenApiPaths({ table: options.table, serverVersion: version.gitVersion ?? '' });
  const routes: PathRoute[] = [
    ...discovery.routes,
    ...openApi.routes,
    ...healthRoutes({
      live: [
        { name: 'ping', ...well },
        { name: 'log', ...well },
        { name: 'etcd', ...well },
      ],
      ready: [
        {
          name: 'poststarthook/bootstrap-cluster',
          check: () => (options.isReady() ? undefined : 'not finished'),
        },
      ],
    }),
    { path: '/version', handle: (context) => respondJson(context, version) },
    {
      path: '/metrics',
      handle: (context) =>
        respondText(context, 200, metrics.print(), 'text/plain; version=0.0.4; charset=utf-8'),
    },
    ...options.documents.map(documentRoute),
  ];
  const own = routes.map(({ path }) => path).filter((path) => !path.endsWith('/'));
  routes.push({
    path: '/',
    handle: (context) => respondJson(context, { paths: [...new Set([...discovery.paths, ...own])].sort() }),
  });
  return new PathHandler(routes);
}

function documentRoute(document: ServedDocument): PathRoute {
  return {
    path: document.path,
    handle: (context) => {
      context.headers['cache-control'] = document.cacheControl;
      respondText(context, 200, document.body, document.contentType);
    },
  };
}
