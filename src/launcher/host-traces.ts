/** Removing what the containers of a cluster left on the host: processes, mounts, namespaces, cgroups. */
import { silentLogger } from '#platform';
import { systemClock, systemRandom } from '#platform/node';
import type { ClusterConfig } from './cluster-config.ts';
import type { ClusterLayout } from './layout.ts';
import { nodeFolders } from './node-folders.ts';

export async function removeHostTraces(layout: ClusterLayout, _config: ClusterConfig): Promise<void> {
  const folders = nodeFolders(layout);
  // Loaded only here: most commands need no engine.
  const { createEngine } = await import('#engine');
  const engine = await createEngine({
    rootDir: folders.engine,
    stateDir: folders.engineState,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
  await engine.cleanup();
}
