import type { ApiEndpoint, KubeObject } from '#machinery';
import type { Clock, Logger, Random } from '#platform';
import type { Store } from '#store';
import type { AdmissionDependencies, AdmissionPlugin } from './admission/admission.ts';
import type { Authenticator } from './authentication/authenticator.ts';
import type { Authorizer } from './authorization/authorizer.ts';
import type { CacheReader } from './reader.ts';
import type { VirtualResource } from './registry/virtual-resource.ts';
import type { Connector } from './serving/connector.ts';

export const DEFAULT_SERVICE_CIDR = '10.96.0.0/12';
export const DEFAULT_NODE_PORTS = { first: 30_000, last: 32_767 };

/** A document served as it is: OIDC discovery, the JSON web keys. */
export interface ServedDocument {
  readonly path: string;
  readonly contentType: string;
  readonly cacheControl: string;
  readonly body: string;
}

export interface ApiServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly authenticator: (reader: CacheReader) => Authenticator;
  readonly authorizer: (reader: CacheReader) => Authorizer;
  readonly admission: (
    reader: CacheReader,
    dependencies: AdmissionDependencies,
  ) => readonly AdmissionPlugin[];
  readonly virtualResources: (reader: CacheReader) => readonly VirtualResource[];
  /** `pods/exec`, `log`, proxies. `endpoint`: the server as its most privileged user. */
  readonly connectors?: (dependencies: ConnectorDependencies) => readonly Connector[];
  /** Created, or completed, at every start. */
  readonly bootstrapObjects?: readonly KubeObject[];
  readonly documents?: readonly ServedDocument[];
  /** Default 10.96.0.0/12. The first address is the `kubernetes` Service's. */
  readonly serviceCidr?: string;
  /** Default 30000–32767. */
  readonly nodePorts?: { readonly first: number; readonly last: number };
  /** Where the server is reached: published in the endpoints of the `kubernetes` Service. Absent: not published. */
  readonly advertise?: { readonly address: string; readonly port: number };
  /** For ConfigMap `extension-apiserver-authentication`: PEM of the CAs that aggregated servers shall trust. */
  readonly clientCaPem?: string;
  readonly requestHeader?: {
    readonly caPem: string;
    readonly allowedNames: readonly string[];
  };
  /** Which versions beyond the stable ones are served, e.g. `resource.k8s.io/v1beta1`. Default: none, as upstream. */
  readonly enabledVersions?: readonly string[];
  /** Of `/version`; default `linux/amd64`. */
  readonly platform?: string;
}

export interface ConnectorDependencies {
  readonly reader: CacheReader;
  readonly endpoint: ApiEndpoint;
}
