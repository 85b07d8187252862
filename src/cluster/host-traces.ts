/** Removing what the containers of a cluster left on the host: processes, mounts, namespaces, cgroups. */
import { silentLogger } from '#platform';
import { systemClock, systemRandom } from '#platform/node';
import { createEngine } from '#engine';
import type { ClusterConfig } from './cluster-config.ts';
import type { ClusterLayout } from './layout.ts';
import { nodeFolders } from './node-folders.ts';

export async function removeHostTraces(layout: ClusterLayout, _config: ClusterConfig): Promise<void> {
  const folders = nodeFolders(layout);
  const engine = await createEngine({
    rootDir: folders.engine,
    stateDir: folders.engineState,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
  await engine.cleanup();
}
