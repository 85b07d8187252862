/** What the signers of `kubernetes.io` want of a request. Pure. */

export interface RequestedNames {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly hasDns: boolean;
  readonly hasIp: boolean;
  readonly hasEmail: boolean;
  readonly hasUri: boolean;
}

export const KUBELET_CLIENT = 'kubernetes.io/kube-apiserver-client-kubelet';
const KUBELET_SERVING = 'kubernetes.io/kubelet-serving';
const CLIENT = 'kubernetes.io/kube-apiserver-client';
const LEGACY = 'kubernetes.io/legacy-unknown';
const SIGNERS = new Set([KUBELET_CLIENT, KUBELET_SERVING, CLIENT, LEGACY]);

const NODE_GROUP = 'system:nodes';
const NODE_PREFIX = 'system:node:';

export const isKnownSigner = (name: string): boolean => SIGNERS.has(name);

/** Why the signer refuses the request; undefined when it does not. */
export function refusalOf(
  signer: string,
  names: RequestedNames,
  usages: readonly string[],
): string | undefined {
  switch (signer) {
    case KUBELET_CLIENT:
      return kubeletRefusal(names, usages, 'client auth');
    case KUBELET_SERVING:
      return kubeletRefusal(names, usages, 'server auth');
    case CLIENT:
      return clientRefusal(usages);
    default:
      return undefined;
  }
}

function kubeletRefusal(
  { commonName, organizations, hasDns, hasIp, hasEmail, hasUri }: RequestedNames,
  usages: readonly string[],
  purpose: 'client auth' | 'server auth',
): string | undefined {
  if (organizations.length !== 1 || organizations[0] !== NODE_GROUP)
    return 'subject organization is not system:nodes';
  const serves = purpose === 'server auth';
  if (serves && !hasDns && !hasIp) return 'DNS or IP subjectAltName is required';
  if (!serves && hasDns) return 'DNS subjectAltNames are not allowed';
  if (hasEmail) return 'Email subjectAltNames are not allowed';
  if (!serves && hasIp) return 'IP subjectAltNames are not allowed';
  if (hasUri) return 'URI subjectAltNames are not allowed';
  if (!serves && !commonName.startsWith(NODE_PREFIX)) return NO_NODE_NAME;
  if (!hasUsages(usages, purpose))
    return `usages did not match [${[purpose, 'digital signature', 'key encipherment'].sort().join(' ')}]`;
  return commonName.startsWith(NODE_PREFIX) ? undefined : NO_NODE_NAME;
}

const NO_NODE_NAME = `subject common name does not begin with ${NODE_PREFIX}`;

/** An elliptic curve's key does not encipher keys. */
function hasUsages(usages: readonly string[], purpose: string): boolean {
  const given = new Set(usages);
  given.delete('key encipherment');
  return given.size === 2 && given.has(purpose) && given.has('digital signature');
}

function clientRefusal(usages: readonly string[]): string | undefined {
  const other = usages.find(
    (usage) => !['digital signature', 'key encipherment', 'client auth'].includes(usage),
  );
  if (other !== undefined) return `invalid usage for client certificate: ${other}`;
  return usages.includes('client auth')
    ? undefined
    : 'missing required usage for client certificate: client auth';
}
