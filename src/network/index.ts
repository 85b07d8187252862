/** The network of one node: pod network, service proxy, DNS. */
export type { DnsServerOptions } from './dns/dns-server.ts';
export { DnsServer } from './dns/dns-server.ts';
export type { BridgeNetwork, BridgeNetworkOptions } from './pod-network/bridge-network.ts';
export { createBridgeNetwork, removeBridgeNetwork } from './pod-network/bridge-network.ts';
export type { NodeLocalService } from './proxy/service-endpoints.ts';
export type { ServiceProxyOptions } from './proxy/service-proxy.ts';
export { removeServiceProxy, ServiceProxy } from './proxy/service-proxy.ts';
