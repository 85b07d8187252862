/** A pod's host name and DNS domain. */
import { type Pod, podName, podNamespace } from '../pods/pod-spec.ts';

/** The kernel's limit. */
const MAX_HOSTNAME = 63;

export interface PodHostname {
  readonly hostname: string;
  /** `sub.ns.svc.cluster.local`; empty without a subdomain. */
  readonly domain: string;
}

export function podHostname(pod: Pod, clusterDomain: string): PodHostname {
  const { hostname, subdomain, hostnameOverride } = pod.spec;
  if (hostnameOverride !== undefined) return { hostname: truncate(hostnameOverride), domain: '' };
  const domain =
    subdomain === undefined || subdomain === ''
      ? ''
      : `${subdomain}.${podNamespace(pod)}.svc.${clusterDomain}`;
  return { hostname: truncate(hostname || podName(pod)), domain };
}

const truncate = (name: string): string =>
  name.length <= MAX_HOSTNAME ? name : name.slice(0, MAX_HOSTNAME).replace(/[-.]+$/, '');

/** What `hostname` prints in the pod. @throws Error when the full name is too long for the kernel. */
export function kernelHostname(pod: Pod, name: PodHostname): string {
  if (pod.spec.setHostnameAsFQDN !== true || name.domain === '') return name.hostname;
  const full = `${name.hostname}.${name.domain}`;
  if (full.length <= MAX_HOSTNAME + 1) return full;
  throw new Error(
    `failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long (${MAX_HOSTNAME + 1} characters is the max, ${full.length} characters requested)`,
  );
}
