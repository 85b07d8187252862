/** The containers of a test cluster as the host sees them. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { missingCapabilities } from '../../src/launcher/capabilities.ts';
import type { TestCluster } from './test-cluster.ts';

/** Undefined where real containers run; else why they do not, for `skip`. */
export function whyNoContainers(): string | undefined {
  const missing = missingCapabilities({
    platform: process.platform,
    uid: process.getuid?.() ?? -1,
    path: process.env['PATH'] ?? '',
  });
  return missing.length === 0
    ? undefined
    : `no real containers here: ${missing.map(({ what }) => what).join(', ')}`;
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly containerID?: string;
  readonly imageID: string;
  readonly state: ContainerState;
  readonly lastState: ContainerState;
}

export interface ContainerState {
  readonly running?: { readonly startedAt: string };
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly terminated?: { readonly exitCode: number; readonly reason?: string; readonly signal?: number };
}

export interface PodView {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly deletionTimestamp?: string;
  };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

/** Pods by label, with those that are being deleted left out. */
export async function podsOf(cluster: TestCluster, selector: string): Promise<readonly PodView[]> {
  const text = await cluster.mustKubectl(['get', 'pods', '-l', selector, '-o', 'json']);
  const { items } = JSON.parse(text) as { readonly items: readonly PodView[] };
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** The id behind `k8ts://`, of the pod's first container. @throws when it has none yet. */
export function containerIdOf(pod: PodView): string {
  const id = pod.status.containerStatuses?.[0]?.containerID?.split('://')[1];
  if (id === undefined || id === '') throw new Error(`pod ${pod.metadata.name} has no container yet`);
  return id;
}

/** The pid, on the host, of a container's main process. */
export function pidOf(cluster: TestCluster, containerId: string): number {
  const root = join(cluster.folder, 'run', cluster.name, 'engine/runc');
  const result = spawnSync('runc', ['--root', root, 'state', containerId], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`runc state ${containerId}: ${result.stderr}`);
  return (JSON.parse(result.stdout) as { readonly pid: number }).pid;
}

/** Busybox' web server; every pod answers with its own name. `trap` lets it end at once when asked. */
export const WEB_SERVER =
  "mkdir /www; hostname > /www/index.html; trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait";

/** A deployment of web servers called `web`, and a Service of that name on port 80. */
export function webManifest(options: { readonly replicas: number; readonly name?: string }): string {
  const name = options.name ?? 'web';
  return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${options.replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
        - name: web
          image: k8ts.local/base
          command: [sh, -c, "${WEB_SERVER}"]
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec:
  selector: {app: ${name}}
  ports: [{name: http, port: 80, targetPort: http}]
`;
}
