/** What the server itself sees to at every start: namespaces, default objects, its own Service. */
import {
  type ApiEndpoint,
  apiVersionOf,
  isAlreadyExists,
  isNotFound,
  type KubeObject,
  parseApiVersion,
} from '#machinery';
import { builtinResources } from '#api';
import { reconcileBootstrapObject } from './bootstrap/reconcile.ts';
import type { ApiServerOptions } from './options.ts';

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export async function bootstrap(endpoint: ApiEndpoint, options: ApiServerOptions): Promise<void> {
  await Promise.all(
    NAMESPACES.map((name) =>
      ensure(endpoint, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, 'namespaces'),
    ),
  );
  await Promise.all((options.bootstrapObjects ?? []).map((object) => reconcile(endpoint, object)));
}

/** Creates the object unless there is one of its name. */
async function ensure(endpoint: ApiEndpoint, object: KubeObject, resource: string): Promise<void> {
  const { namespace } = object.metadata;
  try {
    await endpoint.request({
      verb: 'create',
      ...parseApiVersion(object.apiVersion),
      resource,
      ...(namespace === undefined ? {} : { namespace }),
      body: object,
    });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

async function reconcile(endpoint: ApiEndpoint, wanted: KubeObject): Promise<void> {
  const gv = parseApiVersion(wanted.apiVersion);
  const info = builtinResources.find((r) => r.kind === wanted.kind && apiVersionOf(r) === wanted.apiVersion);
  if (info === undefined) throw new Error(`no resource serves ${wanted.apiVersion} ${wanted.kind}`);
  const { name, namespace } = wanted.metadata;
  const target = { ...gv, resource: info.resource, ...(namespace === undefined ? {} : { namespace }) };
  const existing = await endpoint.request({ verb: 'get', ...target, name }).then(
    ({ object }) => object as KubeObject,
    (error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    },
  );
  const step = reconcileBootstrapObject(wanted, existing);
  switch (step.action) {
    case 'none':
      return;
    case 'create':
      return ensure(endpoint, step.object, info.resource);
    case 'update':
      await endpoint.request({ verb: 'update', ...target, name, body: step.object });
      return;
    case 'recreate':
      await endpoint.request({ verb: 'delete', ...target, name });
      return ensure(endpoint, step.object, info.resource);
    default:
      return step satisfies never;
  }
}
