/** Subresources whose answer is a connection: to a kubelet, a pod or a service. */
import type { Random } from '#platform';
import type { Connector } from '../serving/connector.ts';
import { type KubeletClientOptions, kubeletConnectors } from './kubelet-connectors.ts';
import { proxyConnectors } from './proxy-connectors.ts';

export interface ConnectOptions extends KubeletClientOptions {
  readonly random: Random;
}

export function connectors(options: ConnectOptions): readonly Connector[] {
  return [...kubeletConnectors(options), ...proxyConnectors(options)];
}
