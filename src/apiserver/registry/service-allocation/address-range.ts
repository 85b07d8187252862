/** The addresses of a CIDR that Services may have, and which of them a new Service is given. */
import type { Random } from '#platform';

export class AddressRange {
  readonly cidr: string;
  readonly #base: number;
  readonly #size: number;
  readonly #prefix: number;

  /** IPv4 only. @throws RangeError for anything else. */
  constructor(cidr: string) {
    const match = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(cidr);
    const base = match?.[1] === undefined ? undefined : parseAddress(match[1]);
    const prefix = Number(match?.[2]);
    if (base === undefined || prefix > 30) throw new RangeError(`${cidr} is not an IPv4 range for Services`);
    this.cidr = cidr;
    this.#prefix = prefix;
    this.#size = 2 ** (32 - prefix);
    this.#base = base - (base % this.#size);
  }

  /** The first address: the `kubernetes` Service's. */
  get first(): string {
    return formatAddress(this.#base + 1);
  }

  /** Network and broadcast address are in no Service's hands. */
  contains(address: string): boolean {
    const value = parseAddress(address);
    return value !== undefined && value > this.#base && value < this.#base + this.#size - 1;
  }

  toString(): string {
    return `${formatAddress(this.#base)}/${this.#prefix}`;
  }

  /**
   * A free address. The lower part of the range is left to those who choose their own address (KEP-3070) as long as
   * the upper part has room. Undefined: the range is full.
   */
  pick(random: Random, isTaken: (address: string) => boolean): string | undefined {
    const usable = this.#size - 2;
    const reserved = Math.min(Math.max(16, Math.floor(this.#size / 16)), 256, usable);
    const upper = usable - reserved;
    return this.#probe(reserved, upper, random, isTaken) ?? this.#probe(0, reserved, random, isTaken);
  }

  #probe(
    from: number,
    count: number,
    random: Random,
    isTaken: (address: string) => boolean,
  ): string | undefined {
    const start = Math.floor(random.next() * count);
    for (let i = 0; i < count; i++) {
      const address = formatAddress(this.#base + 1 + from + ((start + i) % count));
      if (!isTaken(address)) return address;
    }
    return undefined;
  }
}

export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(value / 2 ** bits) % 256).join('.');
}
