/** The variables that tell a container where the services of its namespace are. */
import type { coreV1 } from '#api';

type Variables = Readonly<Record<string, string>>;

const variableName = (text: string): string => text.toUpperCase().replaceAll('-', '_');

const hasClusterIp = (service: coreV1.Service): boolean => {
  const ip = service.spec?.clusterIP ?? '';
  return ip !== '' && ip !== 'None';
};

/** Services a pod of `namespace` sees: its own namespace's when asked for, and always `default/kubernetes`. */
export function visibleServices(
  services: readonly coreV1.Service[],
  namespace: string,
  enableServiceLinks: boolean,
): readonly coreV1.Service[] {
  const chosen = new Map<string, coreV1.Service>();
  for (const service of services) {
    const { name, namespace: home } = service.metadata;
    if (!hasClusterIp(service)) continue;
    if (home === 'default' && name === 'kubernetes') {
      if (!chosen.has(name)) chosen.set(name, service);
    } else if (home === namespace && enableServiceLinks) {
      chosen.set(name, service);
    }
  }
  return [...chosen.values()];
}

export function serviceVariables(services: readonly coreV1.Service[]): Variables {
  const out: Record<string, string> = {};
  for (const service of services) {
    const ip = service.spec?.clusterIP ?? '';
    const ports = service.spec?.ports ?? [];
    const prefix = variableName(service.metadata.name ?? '');
    out[`${prefix}_SERVICE_HOST`] = ip;
    ports.forEach((port, index) => {
      const protocol = port.protocol ?? 'TCP';
      const url = `${protocol.toLowerCase()}://${ip.includes(':') ? `[${ip}]` : ip}:${port.port}`;
      const link = `${prefix}_PORT_${port.port}_${protocol.toUpperCase()}`;
      if (index === 0) {
        out[`${prefix}_SERVICE_PORT`] = String(port.port);
        out[`${prefix}_PORT`] = url;
      }
      if (port.name !== undefined && port.name !== '') {
        out[`${prefix}_SERVICE_PORT_${variableName(port.name)}`] = String(port.port);
      }
      out[link] = url;
      out[`${link}_PROTO`] = protocol.toLowerCase();
      out[`${link}_PORT`] = String(port.port);
      out[`${link}_ADDR`] = ip;
    });
  }
  return out;
}
