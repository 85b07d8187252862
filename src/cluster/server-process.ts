/** The server process of a cluster: store, API server, controllers, scheduler; with simulated nodes these too. */
import type { Logger } from '#platform';
import { systemClock, systemRandom, nodeFiles } from '#platform/node';
import { connectEtcdStore, createMemoryStore, openEmbeddedStore, type Store } from '#store';
import { addonObjects } from './addons.ts';
import { LOOPBACK, type ProcessInput, readPki } from '#launcher/process';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { type RunningProcess, runProcess } from './process-main.ts';
import type { SimulatedNodes } from './simulated-nodes.ts';
import { enabledVersions } from './runtime-config.ts';

function openStore({ layout, config }: ProcessInput, logger: Logger): Promise<Store> {
  const clock = systemClock;
  switch (config.store.type) {
    case 'embedded':
      return openEmbeddedStore({ folder: layout.store, clock, logger });
    case 'memory':
      return Promise.resolve(createMemoryStore({ clock }));
    case 'etcd':
      return connectEtcdStore({
        endpoints: config.store.endpoints,
        prefix: `/${config.name}`,
        clock,
        logger,
      });
    default:
      return config.store satisfies never;
  }
}

/** The kubelet of simulated nodes is loaded only where there are any. */
async function simulateNodes(
  nodes: readonly string[],
  plane: ControlPlane,
  logger: Logger,
): Promise<SimulatedNodes> {
  const { startSimulatedNodes } = await import('./simulated-nodes.ts');
  return startSimulatedNodes({
    nodes,
    clientFor: (user) => plane.clientFor(user),
    clock: systemClock,
    random: systemRandom,
    logger,
  });
}

async function start(input: ProcessInput, logger: Logger): Promise<RunningProcess> {
  const { layout, config } = input;
  const [store, pki] = await Promise.all([openStore(input, logger), readPki(layout.pki, nodeFiles)]);
  const isReal = config.mode === 'real';
  const plane = startControlPlane({
    store,
    clock: systemClock,
    random: systemRandom,
    logger,
    serviceAccountKeyPem: pki.serviceAccountKeyPem,
    caPem: pki.caPem,
    caKeyPem: pki.caKeyPem,
    serviceCidr: config.serviceCidr,
    // Where pods find the server. Simulated ones only look at it: it is an address of their network that nobody has.
    advertise: { address: config.nodeIp, port: config.apiPort },
    requestHeader: { caPem: pki.frontProxyCaPem, allowedNames: ['front-proxy-client'] },
    kubeletClient: { caPem: pki.caPem, ...pki.apiserverKubeletClient },
    bootstrapObjects: addonObjects(config),
    enabledVersions: enabledVersions(config.runtimeConfig ?? []),
  });
  const tls = {
    cert: pki.apiserver.certPem,
    key: pki.apiserver.keyPem,
    clientCa: [pki.caPem, pki.frontProxyCaPem],
  };
  // Pods reach the server through the node's address on the pod network; nothing else of the machine is listened on.
  const hosts = isReal ? [LOOPBACK, config.nodeIp] : [LOOPBACK];
  await Promise.all(hosts.map((host) => plane.apiServer.listen({ host, port: config.apiPort, tls })));
  await plane.apiServer.ready;
  plane.ready.catch((error: unknown) => logger.error({ err: error }, 'the control loops did not start'));
  const simulated =
    isReal || config.nodes.length === 0 ? undefined : await simulateNodes(config.nodes, plane, logger);
  return {
    async stop() {
      await simulated?.stop();
      await plane.stop();
      await store.close();
    },
  };
}

await runProcess('server', start);
