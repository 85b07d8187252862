/**
 * Which pod has which address: one small file per address, named by it, so that an agent that starts again knows.
 * Addresses are handed out round robin: a fresh one is not one that a client may still be talking to.
 */
import type { Files } from '#platform';
import { formatIpv4, type Ipv4Block, parseIpv4, parseIpv4Block } from '../ipv4.ts';

/** A port of the node that leads to the pod. */
export interface HostPort {
  readonly protocol: string;
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
}

export interface AddressLease {
  readonly address: string;
  readonly sandboxId: string;
  readonly hostPorts: readonly HostPort[];
}

/** Every address of the node's pod block is taken. */
export class AddressesExhaustedError extends Error {
  constructor(block: string) {
    super(`no free pod address in ${block}`);
    this.name = 'AddressesExhaustedError';
  }
}

/** Network, gateway and broadcast are not for pods. */
const FIRST_OFFSET = 2;

export class AddressPool {
  readonly #files: Files;
  readonly #folder: string;
  readonly #cidr: string;
  readonly #block: Ipv4Block;
  readonly #bySandbox = new Map<string, AddressLease>();
  readonly #taken = new Set<string>();
  #next = FIRST_OFFSET;

  constructor(options: { readonly files: Files; readonly folder: string; readonly cidr: string }) {
    this.#files = options.files;
    this.#folder = options.folder;
    this.#cidr = options.cidr;
    this.#block = parseIpv4Block(options.cidr);
  }

  get leases(): readonly AddressLease[] {
    return [...this.#bySandbox.values()];
  }

  /** Reads what an earlier process handed out. A file that a crash left half-written counts as free. */
  async load(): Promise<void> {
    await this.#files.mkdir(this.#folder, { recursive: true });
    for (const name of await this.#files.list(this.#folder)) {
      const value = parseIpv4(name);
      const lease = value === undefined ? undefined : await this.#read(name);
      if (lease === undefined || value === undefined) {
        await this.#files.remove(`${this.#folder}/${name}`);
        continue;
      }
      this.#bySandbox.set(lease.sandboxId, lease);
      this.#taken.add(name);
      this.#next = Math.max(this.#next, value - this.#block.base + 1);
    }
  }

  get(sandboxId: string): AddressLease | undefined {
    return this.#bySandbox.get(sandboxId);
  }

  /** @throws AddressesExhaustedError */
  async take(sandboxId: string, hostPorts: readonly HostPort[]): Promise<AddressLease> {
    const address = this.#free();
    const lease = { address, sandboxId, hostPorts };
    this.#taken.add(address);
    this.#bySandbox.set(sandboxId, lease);
    await this.#files.writeFile(`${this.#folder}/${address}`, JSON.stringify(lease));
    return lease;
  }

  async release(sandboxId: string): Promise<void> {
    const lease = this.#bySandbox.get(sandboxId);
    if (lease === undefined) return;
    await this.#files.remove(`${this.#folder}/${lease.address}`);
    this.#bySandbox.delete(sandboxId);
    this.#taken.delete(lease.address);
  }

  #free(): string {
    const usable = this.#block.size - FIRST_OFFSET - 1;
    for (let tried = 0; tried < usable; tried++) {
      const offset = FIRST_OFFSET + ((this.#next - FIRST_OFFSET + tried) % usable);
      const address = formatIpv4(this.#block.base + offset);
      if (this.#taken.has(address)) continue;
      this.#next = offset + 1;
      return address;
    }
    throw new AddressesExhaustedError(this.#cidr);
  }

  async #read(name: string): Promise<AddressLease | undefined> {
    try {
      return JSON.parse((await this.#files.readFile(`${this.#folder}/${name}`)).toString()) as AddressLease;
    } catch {
      return undefined;
    }
  }
}
