/** IPv4 addresses and blocks as numbers. */

export interface Ipv4Block {
  readonly base: number;
  readonly prefixLength: number;
  /** Number of addresses in it, network and broadcast included. */
  readonly size: number;
}

/** Undefined when the text is not a dotted quad. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    const octet = /^\d{1,3}$/.test(part) ? Number(part) : 256;
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** @throws when the text is not `a.b.c.d/n`. */
export function parseIpv4Block(text: string): Ipv4Block {
  const [address = '', length = ''] = text.split('/');
  const value = parseIpv4(address);
  const prefixLength = Number(length);
  if (value === undefined || !/^\d+$/.test(length) || prefixLength > 32) {
    throw new Error(`"${text}" is not an IPv4 block like 10.244.0.0/24`);
  }
  const size = 2 ** (32 - prefixLength);
  return { base: value - (value % size), prefixLength, size };
}
