/**
 * The built-in pod network of one node: a bridge, a veth pair per pod.
 *
 * Pods have a /32 and reach everything, each other included, through the gateway on the bridge. So every packet
 * passes the host's IP stack, where services are translated and replies translated back. (With a /24 two pods would
 * talk past the host, and the reply of a service would come from an address the client never asked.)
 */
import type { SandboxNetwork } from '#cri';
import type { Files, Logger, Processes } from '#platform';
import { runIp, runNft, runScript } from '../commands.ts';
import { formatIpv4, parseIpv4Block } from '../ipv4.ts';
import { type NetworkNames, networkNames, vethName } from '../names.ts';
import { type AddressLease, AddressPool, type HostPort } from './address-pool.ts';

export interface BridgeNetworkOptions {
  readonly cluster: string;
  readonly processes: Processes;
  readonly files: Files;
  readonly logger: Logger;
  /** Where addresses are remembered; may be lost at a reboot, as the pods are. */
  readonly stateDir: string;
  /** This node's pods, e.g. `10.244.0.0/24`. */
  readonly podCidr: string;
  /** All pods, e.g. `10.244.0.0/16`: not masqueraded. */
  readonly clusterCidr: string;
  /** Routed to the bridge, so that the host itself reaches services even without a default route. */
  readonly serviceCidr: string;
}

export interface BridgeNetwork extends SandboxNetwork {
  /** The node's address on the bridge, the pods' gateway. */
  readonly gateway: string;
  /** Idempotent; adopts what an earlier process left. */
  setUp(): Promise<void>;
}

const MTU = 1500;

export function createBridgeNetwork(options: BridgeNetworkOptions): BridgeNetwork {
  return new Bridge(options);
}

/** Removes everything `setUp` and `attach` made, by name; also after the process that made it was killed. */
export async function removeBridgeNetwork(cluster: string, processes: Processes): Promise<void> {
  const { bridge, podTable } = networkNames(cluster);
  const ports = await processes.run('ip', ['-json', 'link', 'show', 'master', bridge]);
  if (ports.exitCode === 0) {
    const names = JSON.parse(ports.stdout.toString() || '[]') as readonly { readonly ifname?: string }[];
    const lines = names.flatMap(({ ifname }) => (ifname === undefined ? [] : [`link delete ${ifname}`]));
    await processes.run('ip', ['-force', '-batch', '-'], {
      input: `${lines.join('\n')}\nlink delete ${bridge}\n`,
    });
  }
  await runNft(processes, `add table ip ${podTable}\ndelete table ip ${podTable}\n`);
}

class Bridge implements BridgeNetwork {
  readonly gateway: string;
  readonly #options: BridgeNetworkOptions;
  readonly #names: NetworkNames;
  readonly #pool: AddressPool;
  readonly #prefixLength: number;

  constructor(options: BridgeNetworkOptions) {
    this.#options = options;
    this.#names = networkNames(options.cluster);
    const block = parseIpv4Block(options.podCidr);
    this.gateway = formatIpv4(block.base + 1);
    this.#prefixLength = block.prefixLength;
    this.#pool = new AddressPool({
      files: options.files,
      folder: `${options.stateDir}/addresses`,
      cidr: options.podCidr,
    });
  }

  async setUp(): Promise<void> {
    await this.#pool.load();
    const { bridge } = this.#names;
    const { processes } = this.#options;
    const exists = (await processes.run('ip', ['link', 'show', bridge])).exitCode === 0;
    await runIp(processes, [
      ...(exists ? [] : [`link add ${bridge} mtu ${MTU} type bridge`]),
      `address replace ${this.gateway}/${this.#prefixLength} dev ${bridge}`,
      `link set ${bridge} up`,
      `route replace ${this.#options.serviceCidr} dev ${bridge} src ${this.gateway}`,
    ]);
    await this.#writeSysctls();
    await runNft(processes, this.#table());
  }

  async attach({
    id,
    networkNamespace,
    config,
  }: Parameters<SandboxNetwork['attach']>[0]): Promise<readonly string[]> {
    const known = this.#pool.get(id);
    if (known !== undefined) return [known.address];
    const hostPorts = config.portMappings
      .filter((mapping) => mapping.hostPort > 0)
      .map(({ protocol, hostIp, hostPort, containerPort }) => ({
        protocol,
        hostIp,
        hostPort,
        containerPort,
      }));
    const lease = await this.#pool.take(id, hostPorts);
    try {
      await this.#plug(lease, networkNamespace);
    } catch (error) {
      await this.#unplug(lease);
      throw error;
    }
    return [lease.address];
  }

  async detach({ id }: Parameters<SandboxNetwork['detach']>[0]): Promise<void> {
    const lease = this.#pool.get(id);
    if (lease !== undefined) await this.#unplug(lease);
  }

  async #plug(lease: AddressLease, namespace: string): Promise<void> {
    const { processes, cluster } = this.#options;
    const veth = vethName(cluster, lease.sandboxId);
    await runIp(processes, [
      `link add ${veth} mtu ${MTU} type veth peer name eth0 netns ${namespace}`,
      `link set ${veth} master ${this.#names.bridge} up`,
      // With br_netfilter the bridge itself translates: a pod that calls its own service must get its packet back.
      `link set ${veth} type bridge_slave hairpin on`,
    ]);
    await runScript(
      processes,
      'nsenter',
      [`--net=${namespace}`, 'ip', '-batch', '-'],
      [
        'link set lo up',
        `address add ${lease.address}/32 dev eth0`,
        'link set eth0 up',
        `route add ${this.gateway} dev eth0 scope link`,
        `route add default via ${this.gateway} dev eth0`,
        '',
      ].join('\n'),
    );
    await runNft(processes, this.#elements('add', lease));
  }

  async #unplug(lease: AddressLease): Promise<void> {
    const { processes, cluster } = this.#options;
    // Each may be gone already: the namespace takes its veth with it.
    await processes.run('ip', ['link', 'delete', vethName(cluster, lease.sandboxId)]);
    const result = await processes.run('nft', ['-f', '-'], {
      input: this.#elements('add', lease) + this.#elements('delete', lease),
    });
    if (result.exitCode !== 0) {
      this.#options.logger.warn(
        { lease, stderr: result.stderr.toString() },
        'a pod left elements in nftables',
      );
    }
    await this.#pool.release(lease.sandboxId);
  }

  #elements(action: 'add' | 'delete', { address, hostPorts }: AddressLease): string {
    const table = `ip ${this.#names.podTable}`;
    const port = (mapping: HostPort): string => {
      const anyAddress = mapping.hostIp === '' || mapping.hostIp === '0.0.0.0';
      const key = `${mapping.protocol.toLowerCase()} . ${mapping.hostPort}`;
      const target = `${address} . ${mapping.containerPort}`;
      return anyAddress
        ? `${action} element ${table} host-ports { ${key} : ${target} }\n`
        : `${action} element ${table} host-address-ports { ${mapping.hostIp} . ${key} : ${target} }\n`;
    };
    return `${action} element ${table} own-address { ${address} . ${address} }\n${hostPorts.map(port).join('')}`;
  }

  async #writeSysctls(): Promise<void> {
    const { bridge } = this.#names;
    const set = (name: string, value: string): string => `echo ${value} > /proc/sys/net/ipv4/${name}`;
    const lines = [
      set('ip_forward', '1'),
      // Pods on one bridge must not be told to talk past the gateway.
      set(`conf/${bridge}/send_redirects`, '0'),
      // 127.0.0.1:<nodePort> is translated to a pod, whose replies come back for 127.0.0.1 on the bridge.
      set(`conf/${bridge}/route_localnet`, '1'),
    ];
    await runScript(this.#options.processes, 'sh', ['-e', '-c', lines.join('\n')]);
  }

  /** The whole table anew, with the elements of the pods that are there. */
  #table(): string {
    const { podCidr, clusterCidr } = this.#options;
    const { bridge, podTable } = this.#names;
    const leases = this.#pool.leases.map((lease) => this.#elements('add', lease)).join('');
    return `add table ip ${podTable}
delete table ip ${podTable}
table ip ${podTable} {
  set own-address { type ipv4_addr . ipv4_addr; }
  map host-ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map host-address-ports { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  chain host-ports {
    dnat ip to ip daddr . meta l4proto . th dport map @host-address-ports
    fib daddr type local dnat ip to meta l4proto . th dport map @host-ports
  }
  chain prerouting {
    type nat hook prerouting priority dstnat + 5; policy accept;
    jump host-ports
  }
  chain output {
    type nat hook output priority -95; policy accept;
    jump host-ports
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr . ip daddr @own-address masquerade
    ip saddr 127.0.0.0/8 oifname "${bridge}" masquerade
    ip saddr ${podCidr} ip daddr != ${clusterCidr} oifname != "${bridge}" masquerade
  }
  chain input {
    type filter hook prerouting priority mangle; policy accept;
    iifname "${bridge}" ip daddr 127.0.0.0/8 ct state new drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ip saddr ${podCidr} accept
    ip daddr ${podCidr} accept
  }
}
${leases}`;
  }
}
