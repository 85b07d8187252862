/** `npm start`: a cluster with the sample application, from nothing, and what to try next. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { type Client, resources } from '#client';
import type { KubeObject } from '#machinery';
import { adminClient, waitUntil } from '../cluster-client.ts';
import type { Progress } from '../progress.ts';
import { build, listImages } from './images.ts';
import { up, type UpCommandOptions, type UpResult } from './up.ts';

const SAMPLE = fileURLToPath(new URL('../../../examples/shop', import.meta.url));
const SERVICES = ['front', 'catalog', 'pricing'] as const;
const SHOP_PORT = 30_080;
const READY_MS = 120_000;

const imageOf = (service: string): string => `k8ts.local/shop-${service}:1`;

const REFS = {
  ConfigMap: resources.configMaps,
  Secret: resources.secrets,
  Deployment: resources.deployments,
  Service: resources.services,
} as const;

async function applyManifest(client: Client, path: string): Promise<void> {
  for (const document of parseAllDocuments(readFileSync(path, 'utf8'))) {
    const object = document.toJS() as KubeObject;
    const ref = REFS[object.kind as keyof typeof REFS];
    await client
      .resource<KubeObject>(
        ref as { [K in keyof typeof ref]: (typeof ref)[K] } & { __type?: KubeObject },
        'default',
      )
      .apply(object.metadata.name ?? '', object, { fieldManager: 'k8ts-start', force: true });
  }
}

interface DeploymentLike {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly replicas?: number };
  readonly status: { readonly readyReplicas?: number; readonly updatedReplicas?: number };
}

async function waitForShop(client: Client): Promise<void> {
  await waitUntil<DeploymentLike>(
    (signal) =>
      client.resource(resources.deployments, 'default').watch({
        labelSelector: 'app.kubernetes.io/part-of=shop',
        sendInitialEvents: true,
        allowWatchBookmarks: true,
        resourceVersionMatch: 'NotOlderThan',
        signal,
      }),
    (deployments) =>
      SERVICES.every((service) =>
        deployments.some(
          ({ metadata, spec, status }) =>
            metadata.name === service && status.readyReplicas === (spec.replicas ?? 1),
        ),
      ),
    READY_MS,
    () => 'the sample application is not ready: see kubectl get pods, kubectl get events',
  );
}

export interface StartResult extends UpResult {
  /** Undefined with simulated nodes: nothing is served. */
  readonly url: string | undefined;
}

export async function start(
  options: UpCommandOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<StartResult> {
  const result = await up(options, progress);
  const real = result.config.mode === 'real';
  if (real) {
    const present = new Set((await listImages(options.name)).flatMap((image) => image.repoTags));
    for (const service of SERVICES) {
      if (present.has(imageOf(service))) continue;
      const request = { name: options.name, tag: [imageOf(service)], buildArg: [], cache: true };
      await build(`${SAMPLE}/${service}`, request, progress, signal);
    }
  }
  const admin = adminClient(result.layout);
  try {
    progress.step('deploying the sample application');
    await applyManifest(admin.client, `${SAMPLE}/shop.yaml`);
    progress.step('waiting for its pods to be ready');
    await waitForShop(admin.client);
  } finally {
    admin.close();
  }
  progress.done();
  return { ...result, url: real ? `http://127.0.0.1:${SHOP_PORT}/` : undefined };
}

export function describeStart({ layout, url }: StartResult, kubectl: string): string {
  const served =
    url === undefined
      ? 'The sample application runs on simulated nodes: its pods say they run, nothing is served.'
      : `The sample application is served at ${url}`;
  const hints: readonly (readonly [command: string, what: string])[] = [
    [`${kubectl} get pods -o wide`, 'what runs'],
    ...(url === undefined ? [] : [[`curl ${url}`, 'ask the shop'] as const]),
    [`${kubectl} scale deployment catalog --replicas 5`, 'more of it'],
    ...(url === undefined
      ? []
      : [
          [`${kubectl} logs -f deployment/front`, 'what it prints'] as const,
          [`${kubectl} exec -it deployment/catalog -- sh`, 'look inside'] as const,
        ]),
    [`${kubectl} describe pod -l app=front`, 'what happened to it'],
    ['node bin/k8ts.mjs status', 'processes, nodes, data'],
    ['node bin/k8ts.mjs down', 'stop; --purge removes the data too'],
  ];
  const width = Math.max(...hints.map(([command]) => command.length));
  return `
${served}

Try next:
${hints.map(([command, what]) => `  ${command.padEnd(width)}  ${what}`).join('\n')}

kubectl uses context ${layout.name}; a kubeconfig of its own is ${layout.kubeconfig}
`;
}
