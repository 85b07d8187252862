/** Talking to a running cluster as its administrator. */
import { readFileSync } from 'node:fs';
import { type Client, createClient, httpEndpoint, loadKubeconfig, resources } from '#client';
import type { ClusterLayout } from '#launcher';
import { silentLogger } from '#platform';
import { systemClock } from '#platform/node';
import { CommandError } from './context.ts';

export interface AdminClient {
  readonly client: Client;
  close(): void;
}

export function adminClient(layout: ClusterLayout): AdminClient {
  const access = loadKubeconfig(readFileSync(layout.kubeconfig, 'utf8'));
  const endpoint = httpEndpoint({ ...access, userAgent: 'k8ts', clock: systemClock, logger: silentLogger });
  return { client: createClient(endpoint), close: () => endpoint.close() };
}

interface Item {
  readonly metadata: { readonly name: string };
}

/**
 * Watches until `isDone` says so of everything seen so far. @throws CommandError after `timeoutMs`, with what
 * `explain` says.
 */
export async function waitUntil<T extends Item>(
  watch: (signal: AbortSignal) => Promise<AsyncIterable<{ readonly type: string; readonly object: unknown }>>,
  isDone: (items: readonly T[]) => boolean,
  timeoutMs: number,
  explain: (items: readonly T[]) => string,
): Promise<readonly T[]> {
  const items = new Map<string, T>();
  const deadline = AbortSignal.timeout(timeoutMs);
  while (!deadline.aborted) {
    try {
      for await (const { type, object } of await watch(deadline)) {
        if (type === 'ERROR') break;
        if (type !== 'BOOKMARK') {
          const item = object as T;
          if (type === 'DELETED') items.delete(item.metadata.name);
          else items.set(item.metadata.name, item);
        }
        if (isDone([...items.values()])) return [...items.values()];
      }
    } catch (error) {
      if (!deadline.aborted) throw error;
    }
    items.clear();
  }
  throw new CommandError(explain([]));
}

export async function waitForNodes(
  client: Client,
  names: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const isReady = (node: {
    readonly status: { readonly conditions?: readonly { type: string; status: string }[] };
  }): boolean =>
    node.status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ===
    true;
  await waitUntil<Item & Parameters<typeof isReady>[0]>(
    (signal) =>
      client.resource(resources.nodes).watch({
        sendInitialEvents: true,
        allowWatchBookmarks: true,
        resourceVersionMatch: 'NotOlderThan',
        signal,
      }),
    (nodes) => names.every((name) => nodes.some((node) => node.metadata.name === name && isReady(node))),
    timeoutMs,
    () => `the nodes are not ready after ${timeoutMs / 1000} s: see k8ts logs agent`,
  );
}
