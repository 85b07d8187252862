/** The Kubernetes API over a store: to the network by HTTPS, to this process by `endpointFor`. */
export { type ApiServer, createApiServer } from './api-server.ts';
export type { AdmissionAttributes, AdmissionDependencies, AdmissionPlugin } from './admission/admission.ts';
export type { Authenticator, Credentials } from './authentication/authenticator.ts';
export type { AuthorizationAttributes, Authorizer, Decision } from './authorization/authorizer.ts';
export type { ApiServerOptions, ConnectorDependencies, ServedDocument } from './options.ts';
export { type ConnectOptions, connectors } from './connect/index.ts';
export type { CacheReader } from './reader.ts';
export type { VirtualRequest, VirtualResource } from './registry/virtual-resource.ts';
export { createSecurity, type Security, type SecurityOptions } from './security.ts';
export type { ConnectRequest, Connector } from './serving/connector.ts';
export type { Listener, ListenOptions } from './serving/https-listener.ts';
