/**
 * The control plane put together: API server, controllers and scheduler over one store, each component with an
 * identity of its own, talking to the API server in this process. The same function makes the control plane of
 * `k8ts up` and of `startCluster` in a test; only clock, store and keys differ.
 */
import {
  type ApiServer,
  type ApiServerOptions,
  connectors,
  createApiServer,
  createSecurity,
} from '#apiserver';
import {
  type Client,
  createClient,
  createEventRecorder,
  createInformerFactory,
  type InformerFactory,
} from '#client';
import { type Controller, startControllers } from '#controllers';
import type { ApiEndpoint, UserInfo } from '#machinery';
import type { Clock, Logger, Random } from '#platform';
import { Scheduler } from '#scheduler';
import type { Store } from '#store';

export interface ControlPlaneOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** PEM of the key that signs service account tokens. */
  readonly serviceAccountKeyPem: string;
  /** PEM; published in every namespace as `kube-root-ca.crt`, and what client certificates are checked against. */
  readonly caPem: string;
  /** PEM of that CA's key, for signing approved certificate requests. Absent: somebody else signs. */
  readonly caKeyPem?: string;
  /** Issuer of service account tokens. Default `https://kubernetes.default.svc.cluster.local`. */
  readonly issuer?: string;
  readonly serviceCidr?: string;
  /** Absent: not reachable from outside this process. */
  readonly advertise?: { readonly address: string; readonly port: number };
  readonly requestHeader?: { readonly caPem: string; readonly allowedNames: readonly string[] };
  /** Absent: logs, exec and port-forward are not passed on to kubelets. */
  readonly kubeletClient?: { readonly caPem: string; readonly certPem: string; readonly keyPem: string };
  readonly bootstrapObjects?: ApiServerOptions['bootstrapObjects'];
  /** Group versions served beyond the stable ones, e.g. `resource.k8s.io/v1beta1`. */
  readonly enabledVersions?: readonly string[];
  /** Absent: all that a cluster has. */
  readonly controllers?: readonly Controller[];
  /** Default true. False: pods wait until somebody else binds them. */
  readonly scheduler?: boolean;
  /** Stands between every component of this process and the API server: a test counts requests or breaks some. */
  readonly interpose?: (endpoint: ApiEndpoint, user: UserInfo) => ApiEndpoint;
}

export interface ControlPlane {
  readonly apiServer: ApiServer;
  /** A client that acts as this user. */
  clientFor(user: UserInfo): Client;
  /** Controllers and scheduler have their caches and work. */
  readonly ready: Promise<void>;
  stop(): Promise<void>;
}

const DEFAULT_ISSUER = 'https://kubernetes.default.svc.cluster.local';
const AUTHENTICATED = 'system:authenticated';

const componentUser = (name: string): UserInfo => ({ name, groups: [AUTHENTICATED] });

/** As RBAC's bootstrap policy knows the controllers. */
const serviceAccountUser = (namespace: string, name: string): UserInfo => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, AUTHENTICATED],
});

export const ADMIN: UserInfo = { name: 'kubernetes-admin', groups: ['system:masters', AUTHENTICATED] };

export function startControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { clock, random, logger } = options;
  const apiServer = createApi(options);
  const { interpose = (endpoint: ApiEndpoint): ApiEndpoint => endpoint } = options;
  const clientFor = (user: UserInfo): Client => createClient(interpose(apiServer.endpointFor(user), user));

  const managerClient = clientFor(componentUser('system:kube-controller-manager'));
  const informers = createInformerFactory({ client: managerClient, clock, random, logger });
  const controllers = startControllers({
    clientFor: (controller) => clientFor(serviceAccountUser('kube-system', controller)),
    informers,
    clock,
    random,
    logger,
    ...(options.controllers === undefined ? {} : { controllers: options.controllers }),
    options: {
      rootCaPem: options.caPem,
      ...(options.caKeyPem === undefined
        ? {}
        : { signingAuthority: { certPem: options.caPem, keyPem: options.caKeyPem } }),
    },
  });

  const scheduler =
    options.scheduler === false
      ? undefined
      : createScheduler(clientFor(componentUser('system:kube-scheduler')), informers, options);

  const start = async (): Promise<void> => {
    await apiServer.ready;
    informers.start();
    await Promise.all([controllers.ready, scheduler?.start()]);
  };
  const ready = start();
  ready.catch(() => undefined);
  return {
    apiServer,
    clientFor,
    ready,
    async stop() {
      scheduler?.stop();
      await controllers.stop();
      await informers.stop();
      await apiServer.close();
    },
  };
}

function createScheduler(
  client: Client,
  informers: InformerFactory,
  { clock, random, logger }: ControlPlaneOptions,
): Pick<Scheduler, 'start' | 'stop'> {
  const events = createEventRecorder({ client, component: 'default-scheduler', clock, random, logger });
  const scheduler = new Scheduler({ client, informers, events, clock, random, logger });
  return {
    start: () => scheduler.start(),
    stop() {
      scheduler.stop();
      events.stop();
    },
  };
}

function createApi(options: ControlPlaneOptions): ApiServer {
  const { store, clock, random, logger, advertise, requestHeader, kubeletClient } = options;
  const issuer = options.issuer ?? DEFAULT_ISSUER;
  const security = createSecurity({
    clock,
    random,
    logger,
    issuer,
    audiences: [issuer, 'k8ts'],
    signingKeyPem: options.serviceAccountKeyPem,
    externalAddress: advertise === undefined ? '127.0.0.1:0' : `${advertise.address}:${advertise.port}`,
    clientCaPem: options.caPem,
    ...(requestHeader === undefined ? {} : { requestHeader }),
  });
  return createApiServer({
    store,
    clock,
    random,
    logger,
    authenticator: (reader) => security.authenticator(reader),
    authorizer: (reader) => security.authorizer(reader),
    admission: (reader, dependencies) => security.admission(reader, dependencies),
    virtualResources: (reader) => security.virtualResources(reader),
    ...(kubeletClient === undefined
      ? {}
      : {
          connectors: ({ reader }) =>
            connectors({
              reader,
              random,
              tls: { ca: kubeletClient.caPem, cert: kubeletClient.certPem, key: kubeletClient.keyPem },
            }),
        }),
    bootstrapObjects: [...security.bootstrapObjects(), ...(options.bootstrapObjects ?? [])],
    documents: security.discoveryDocuments,
    clientCaPem: options.caPem,
    ...(requestHeader === undefined ? {} : { requestHeader }),
    ...(options.enabledVersions === undefined ? {} : { enabledVersions: options.enabledVersions }),
    ...(options.serviceCidr === undefined ? {} : { serviceCidr: options.serviceCidr }),
    ...(advertise === undefined ? {} : { advertise }),
  });
}
