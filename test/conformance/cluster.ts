/** A cluster for one run of the suite: real nodes where the machine can, with upstream's test images on them. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { askAgent } from '#launcher';
import { TestCluster } from '../tools/test-cluster.ts';
import { conformanceImages } from './images.ts';

export interface SuiteCluster extends AsyncDisposable {
  readonly kubeconfig: string;
}

/** A port that nothing listens on now; clusters of other runs look from the default port on upwards. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function startClusterForSuite(options: {
  readonly name: string;
  readonly simulate: boolean;
}): Promise<SuiteCluster> {
  const cluster = new TestCluster(options.name);
  const port = ['--port', String(await freePort())];
  await cluster.up(options.simulate ? [...port, '--simulate', '--nodes', '2'] : port);
  if (!options.simulate) {
    const socket = join(cluster.env['K8TS_RUN_DIR'] ?? '', cluster.name, 'agent.sock');
    await askAgent(socket, '/import', { file: conformanceImages() });
  }
  return { kubeconfig: cluster.kubeconfig, [Symbol.asyncDispose]: () => cluster.clear() };
}
