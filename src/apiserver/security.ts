/** Puts together who may ask, what they may do, and what every write must pass: all that `createApiServer` takes. */
import type { KubeObject } from '#machinery';
import type { Clock, Logger, Random } from '#platform';
import { type AdmissionDependencies, type AdmissionPlugin, admissionPlugins } from './admission/index.ts';
import {
  AnonymousAuthenticator,
  type Authenticator,
  AuthenticatorChain,
  BootstrapTokenAuthenticator,
  ClientCertificateAuthenticator,
  type DiscoveryDocument,
  RequestHeaderAuthenticator,
  type RequestHeaderOptions,
  ServiceAccountAuthenticator,
  ServiceAccountTokenIssuer,
  signingKey,
  type TokenAuthenticator,
  TokenAuthenticatorChain,
  verificationKey,
} from './authentication/index.ts';
import {
  AuthorizerChain,
  type Authorizer,
  NodeAuthorizer,
  NodeGraph,
  RbacAuthorizer,
  RbacIndex,
  superuserAuthorizer,
} from './authorization/index.ts';
import { bootstrapObjects, nodeRules } from './bootstrap/index.ts';
import type { CacheReader } from './reader.ts';
import type { VirtualResource } from './registry/virtual-resource.ts';
import { reviews } from './reviews/index.ts';

export interface SecurityOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** `iss` of service account tokens, e.g. `https://kubernetes.default.svc.cluster.local`. */
  readonly issuer: string;
  /** Audiences that the API server accepts tokens for; default: the issuer. */
  readonly audiences?: readonly string[];
  /** Private key (PEM) that signs service account tokens. */
  readonly signingKeyPem: string;
  /** Further public keys whose tokens are still accepted, e.g. of before a rotation. */
  readonly verificationKeysPem?: readonly string[];
  /** Host and port under which clients reach the server; appears in OIDC discovery. */
  readonly externalAddress: string;
  /** Needed with `requestHeader`: tells users' certificates from the proxy's. */
  readonly clientCaPem?: string;
  readonly requestHeader?: Omit<RequestHeaderOptions, 'clock'>;
  /** Paths open to everyone; default: health and version. */
  readonly anonymousPaths?: readonly string[];
}

const DEFAULT_ANONYMOUS_PATHS = ['/healthz', '/livez', '/readyz', '/version'];

export interface Security {
  authenticator(reader: CacheReader): Authenticator;
  authorizer(reader: CacheReader): Authorizer;
  /** In the order in which they run. */
  admission(reader: CacheReader, dependencies: AdmissionDependencies): readonly AdmissionPlugin[];
  /** Reviews and `serviceaccounts/token`. */
  virtualResources(reader: CacheReader): readonly VirtualResource[];
  bootstrapObjects(): readonly KubeObject[];
  /** `/.well-known/openid-configuration` and `/openid/v1/jwks`. */
  readonly discoveryDocuments: readonly DiscoveryDocument[];
}

/** Per reader (one API server has one) the parts that share state. */
class Parts {
  readonly index: RbacIndex;
  readonly authorizer: AuthorizerChain;
  readonly tokens: TokenAuthenticator;

  constructor(options: SecurityOptions, reader: CacheReader) {
    const { clock } = options;
    const audiences = audiencesOf(options);
    this.index = new RbacIndex(reader);
    this.authorizer = new AuthorizerChain([
      superuserAuthorizer,
      new NodeAuthorizer({ graph: new NodeGraph(reader), rules: nodeRules() }),
      new RbacAuthorizer({ index: this.index }),
    ]);
    this.tokens = new TokenAuthenticatorChain([
      new ServiceAccountAuthenticator({
        clock,
        reader,
        issuers: [options.issuer],
        audiences,
        keys: verificationKeysOf(options),
      }),
      new BootstrapTokenAuthenticator({ clock, reader, audiences }),
    ]);
  }
}

const audiencesOf = (options: SecurityOptions): readonly string[] => options.audiences ?? [options.issuer];

const verificationKeysOf = (options: SecurityOptions) =>
  [options.signingKeyPem, ...(options.verificationKeysPem ?? [])].map(verificationKey);

export function createSecurity(options: SecurityOptions): Security {
  const { clock, random } = options;
  const issuer = new ServiceAccountTokenIssuer({
    clock,
    random,
    issuer: options.issuer,
    signingKey: signingKey(options.signingKeyPem),
    verificationKeys: verificationKeysOf(options),
    externalAddress: options.externalAddress,
  });
  const partsByReader = new WeakMap<CacheReader, Parts>();
  const partsOf = (reader: CacheReader): Parts => {
    let parts = partsByReader.get(reader);
    if (parts === undefined) partsByReader.set(reader, (parts = new Parts(options, reader)));
    return parts;
  };
  return {
    authenticator: (reader) =>
      new AuthenticatorChain({
        byConnection: [
          ...(options.requestHeader === undefined
            ? []
            : [new RequestHeaderAuthenticator({ clock, ...options.requestHeader })]),
          new ClientCertificateAuthenticator({
            clock,
            authoritiesPem: options.requestHeader === undefined ? undefined : options.clientCaPem,
          }),
        ],
        byToken: partsOf(reader).tokens,
        anonymous: new AnonymousAuthenticator({ paths: options.anonymousPaths ?? DEFAULT_ANONYMOUS_PATHS }),
      }),
    authorizer: (reader) => partsOf(reader).authorizer,
    admission: (reader, dependencies) =>
      admissionPlugins({
        reader,
        clock,
        random,
        dependencies,
        authorizer: partsOf(reader).authorizer,
        index: partsOf(reader).index,
      }),
    virtualResources: (reader) =>
      reviews({
        clock,
        reader,
        issuer,
        authorizer: partsOf(reader).authorizer,
        tokens: partsOf(reader).tokens,
        audiences: audiencesOf(options),
      }),
    bootstrapObjects,
    discoveryDocuments: [issuer.openIdConfiguration(), issuer.jsonWebKeySet()],
  };
}
