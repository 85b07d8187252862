/** Where a registry's name leads. */
export interface RegistryHostOptions {
  /** Base URLs to try before the registry itself, in this order: `http://127.0.0.1:5000`. */
  readonly mirrors?: readonly string[];
  /** Speak HTTP without TLS. Default: only for loopback addresses. */
  readonly plainHttp?: boolean;
  /** Accept any certificate. */
  readonly insecure?: boolean;
  /** PEM of an authority to trust beside the machine's. */
  readonly ca?: string;
}

/** By registry name (`docker.io`, `registry.example:5000`); `*` holds for those not named. */
export type RegistryConfiguration = Readonly<Record<string, RegistryHostOptions>>;

export interface Endpoint {
  /** Without a slash at the end. */
  readonly baseUrl: string;
  readonly insecure: boolean;
  readonly ca: string | undefined;
  readonly isMirror: boolean;
}

const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d+)?$/;

const REAL_HOSTS: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

/** The places to ask for images of `registry`, in order. */
export function endpointsOf(registry: string, configuration: RegistryConfiguration): readonly Endpoint[] {
  const options = configuration[registry] ?? configuration['*'] ?? {};
  const { mirrors = [], insecure = false, ca } = options;
  const plainHttp = options.plainHttp ?? LOOPBACK.test(registry);
  const host = REAL_HOSTS[registry] ?? registry;
  return [
    ...mirrors.map((url) => ({ baseUrl: url.replace(/\/+$/, ''), insecure, ca, isMirror: true })),
    { baseUrl: `${plainHttp ? 'http' : 'https'}://${host}`, insecure, ca, isMirror: false },
  ];
}
