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
import { formatTime } from '#platform';
import { reconcileBootstrapObject } from './bootstrap/reconcile.ts';
import { type ApiServerOptions, DEFAULT_SERVICE_CIDR } from './options.ts';
import { AddressRange } from './registry/service-allocation/address-range.ts';

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export async function bootstrap(endpoint: ApiEndpoint, options: ApiServerOptions): Promise<void> {
  await Promise.all(
    NAMESPACES.map((name) =>
      ensure(endpoint, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, 'namespaces'),
    ),
  );
  await Promise.all([
    ...(options.bootstrapObjects ?? []).map((object) => reconcile(endpoint, object)),
    ensureAuthenticationConfig(endpoint, options),
    ensureServiceRange(endpoint, options),
  ]);
  await ensureService(endpoint, options);
}

/** Aggregated API servers read from here which CAs to trust. */
async function ensureAuthenticationConfig(endpoint: ApiEndpoint, options: ApiServerOptions): Promise<void> {
  const { clientCaPem, requestHeader } = options;
  const data = {
    ...(clientCaPem === undefined ? {} : { 'client-ca-file': clientCaPem }),
    ...(requestHeader === undefined
      ? {}
      : {
          'requestheader-allowed-names': JSON.stringify(requestHeader.allowedNames),
          'requestheader-client-ca-file': requestHeader.caPem,
          'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
          'requestheader-group-headers': '["X-Remote-Group"]',
          'requestheader-username-headers': '["X-Remote-User"]',
        }),
  };
  if (Object.keys(data).length === 0) return;
  const metadata = { name: 'extension-apiserver-authentication', namespace: 'kube-system' };
  await ensure(endpoint, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }, 'configmaps');
}

async function ensureServiceRange(endpoint: ApiEndpoint, options: ApiServerOptions): Promise<void> {
  const range = new AddressRange(options.serviceCidr ?? DEFAULT_SERVICE_CIDR);
  const target = { group: 'networking.k8s.io', version: 'v1', resource: 'servicecidrs' };
  const object: KubeObject = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs: [range.toString()] },
  };
  await ensure(endpoint, object, target.resource);
  const condition = {
    type: 'Ready',
    status: 'True',
    reason: '',
    message: 'Kubernetes default Service CIDR is ready',
    lastTransitionTime: formatTime(options.clock.now()),
  };
  const current = (await endpoint.request({ verb: 'get', ...target, name: 'kubernetes' }))
    .object as KubeObject;
  const { conditions } = (current.status ?? {}) as { readonly conditions?: readonly object[] };
  if ((conditions?.length ?? 0) > 0) return;
  await endpoint.request({
    verb: 'update',
    ...target,
    subresource: 'status',
    name: 'kubernetes',
    body: { ...current, status: { conditions: [condition] } },
  });
}

/** `kubernetes` in `default`, at the first address of the range. */
async function ensureService(endpoint: ApiEndpoint, options: ApiServerOptions): Promise<void> {
  const range = new AddressRange(options.serviceCidr ?? DEFAULT_SERVICE_CIDR);
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      clusterIP: range.first,
      type: 'ClusterIP',
      sessionAffinity: 'None',
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: options.advertise?.port ?? 6443 }],
    },
  };
  await ensure(endpoint, object, 'services');
}

/** Creates the object unless there is one of its name; another server may be faster. */
async function ensure(endpoint: ApiEndpoint, object: KubeObject, resource: string): Promise<void> {
  const { namespace, name } = object.metadata;
  const target = {
    ...parseApiVersion(object.apiVersion),
    resource,
    ...(namespace === undefined ? {} : { namespace }),
  };
  try {
    // Asked first: a create allocates (the Service its address) before it can find the name taken.
    await endpoint.request({ verb: 'get', ...target, name });
    return;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  try {
    await endpoint.request({ verb: 'create', ...target, body: object });
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
