/** The agent process of one node: container engine, pod network, kubelet, service proxy, DNS. */
import { createClient, createEventRecorder, createInformerFactory, httpEndpoint } from '#client';
import { createEngine } from '#engine';
import { createCgroupManager, createKubelet, readMachineInfo, startNodeServer } from '#kubelet';
import {
  type ClusterConfig,
  LOOPBACK,
  nodeFolders,
  type ProcessInput,
  readNodePki,
  serverUrl,
} from '#launcher/process';
import { createBridgeNetwork, DnsServer, type NodeLocalService, ServiceProxy } from '#network';
import type { Logger } from '#platform';
import { nodeFiles, nodeProcesses, nodeSockets, systemClock, systemRandom } from '#platform/node';
import { type AgentApi, serveAgentApi } from './agent-api.ts';
import { type RunningProcess, runProcess } from './process-main.ts';
import { upstreamNameServers } from './resolver.ts';

const DNS_PORT = 53;

/** What this node answers itself: cluster DNS, and the API server on this machine. */
function nodeLocalServices({ nodeIp }: ClusterConfig): readonly NodeLocalService[] {
  const target = { ip: nodeIp, port: DNS_PORT };
  return [
    {
      namespace: 'kube-system',
      name: 'kube-dns',
      ports: [
        { name: 'dns', target },
        { name: 'dns-tcp', target },
      ],
    },
  ];
}

async function start({ layout, config }: ProcessInput, logger: Logger): Promise<RunningProcess> {
  const [nodeName = config.name] = config.nodes;
  const machine = { clock: systemClock, random: systemRandom, logger };
  const folders = nodeFolders(layout);
  const pki = await readNodePki(layout.pki);

  const network = createBridgeNetwork({
    cluster: config.name,
    processes: nodeProcesses,
    files: nodeFiles,
    logger,
    stateDir: folders.network,
    podCidr: config.podCidr,
    clusterCidr: config.clusterCidr,
    serviceCidr: config.serviceCidr,
  });
  await network.setUp();
  const engine = await createEngine({
    ...machine,
    rootDir: folders.engine,
    stateDir: folders.engineState,
    network,
  });

  const connect = (client: { readonly certPem: string; readonly keyPem: string }, userAgent: string) =>
    httpEndpoint({
      server: serverUrl(config),
      ca: pki.caPem,
      clientCert: client.certPem,
      clientKey: client.keyPem,
      userAgent,
      clock: systemClock,
      logger,
    });
  const nodeEndpoint = connect(pki.kubeletClient, 'k8ts-kubelet');
  const nodeClient = createClient(nodeEndpoint);
  const nodeInformers = createInformerFactory({ ...machine, client: nodeClient });
  const events = createEventRecorder({
    ...machine,
    client: nodeClient,
    component: 'kubelet',
    host: nodeName,
  });
  const kubelet = createKubelet({
    ...machine,
    nodeName,
    client: nodeClient,
    informers: nodeInformers,
    events,
    runtime: engine.runtime,
    images: engine.images,
    files: nodeFiles,
    processes: nodeProcesses,
    sockets: nodeSockets,
    machine: await readMachineInfo({ files: nodeFiles, processes: nodeProcesses, rootDir: layout.data }),
    nodeIps: [config.nodeIp],
    clusterDns: [config.dnsIp],
    clusterDomain: config.clusterDomain,
    rootDir: folders.kubelet,
    memoryDir: folders.kubeletMemory,
    logDir: folders.podLogs,
    cgroups: await createCgroupManager({ files: nodeFiles, root: folders.cgroup }),
    kubeletPort: config.kubeletPort,
  });
  const nodeServer = await startNodeServer({
    kubelet,
    runtime: engine.runtime,
    files: nodeFiles,
    clock: systemClock,
    logger,
    host: config.nodeIp,
    port: config.kubeletPort,
    tls: { certPem: pki.kubeletServer.certPem, keyPem: pki.kubeletServer.keyPem, clientCaPem: pki.caPem },
    logDir: folders.podLogs,
  });

  const networkEndpoint = connect(pki.networkClient, 'k8ts-node-network');
  const informers = createInformerFactory({ ...machine, client: createClient(networkEndpoint) });
  const proxy = new ServiceProxy({
    cluster: config.name,
    nodeName,
    clusterCidr: config.clusterCidr,
    informers,
    processes: nodeProcesses,
    clock: systemClock,
    logger,
    nodeLocal: nodeLocalServices(config),
  });
  const dns = new DnsServer({
    ...machine,
    informers,
    sockets: nodeSockets,
    listen: [{ host: config.nodeIp, port: DNS_PORT }],
    clusterDomain: config.clusterDomain,
    upstreams: await upstreamNameServers(nodeFiles),
  });
  const api: AgentApi = await serveAgentApi({ socketPath: layout.agentSocket, engine, logger });

  informers.start();
  const background = Promise.all([kubelet.start(), proxy.start(), dns.start()]);
  background.catch((error: unknown) => logger.error({ err: error }, 'a part of the node did not start'));
  logger.info({ nodeName, apiServer: `${LOOPBACK}:${config.apiPort}` }, 'node agent runs');
  return {
    async stop() {
      await Promise.all([api.close(), nodeServer.close(), dns.stop(), proxy.stop(), kubelet.stop()]);
      events.stop();
      await Promise.all([informers.stop(), nodeInformers.stop()]);
      nodeEndpoint.close();
      networkEndpoint.close();
      engine.close();
    },
  };
}

await runProcess('agent', start);
