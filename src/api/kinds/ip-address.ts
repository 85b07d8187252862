/** IP addresses and blocks as numbers. Pure arithmetic: nothing here touches the network. */

export interface IpAddress {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

export interface IpBlock extends IpAddress {
  readonly prefix: number;
}

const WIDTH = { 4: 32, 6: 128 } as const;
const ipv4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/;

function parseIpv4(text: string): bigint | undefined {
  const octets = ipv4.exec(text)?.slice(1).map(Number);
  if (octets === undefined || octets.some((octet) => octet > 255)) return undefined;
  return octets.reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
}

/** Groups of one side of `::`, an IPv4 tail counting as two. */
function parseGroups(text: string): readonly bigint[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: bigint[] = [];
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1 && part.includes('.')) {
      const tail = parseIpv4(part);
      if (tail === undefined) return undefined;
      groups.push(tail >> 16n, tail & 0xffffn);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
}

function parseIpv6(text: string): bigint | undefined {
  const sides = text.split('::');
  if (sides.length > 2) return undefined;
  const head = parseGroups(sides[0] ?? '');
  const tail = sides.length === 2 ? parseGroups(sides[1] ?? '') : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (sides.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0n), ...tail];
  return groups.reduce((sum, group) => (sum << 16n) | group, 0n);
}

/** Leading zeros are read as decimal; undefined for what is no address. */
export function parseIp(text: string): IpAddress | undefined {
  if (text.includes(':')) {
    const bits = parseIpv6(text);
    return bits === undefined ? undefined : { family: 6, bits };
  }
  const bits = parseIpv4(text);
  return bits === undefined ? undefined : { family: 4, bits };
}

/** `0:0:0:0:0:ffff:a.b.c.d`. */
export const isMappedIpv4 = ({ family, bits }: IpAddress): boolean => family === 6 && bits >> 32n === 0xffffn;

/** `10.0.0.0/8`, also with bits beyond the prefix. */
export function parseBlock(text: string): IpBlock | undefined {
  const [addressText = '', prefixText = '', ...more] = text.split('/');
  const address = parseIp(addressText);
  if (more.length > 0 || address === undefined || !/^\d{1,3}$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText);
  return prefix <= WIDTH[address.family] ? { ...address, prefix } : undefined;
}

const hostBits = ({ family, prefix }: IpBlock): bigint => BigInt(WIDTH[family] - prefix);

export const hasHostBits = (block: IpBlock): boolean => (block.bits & ((1n << hostBits(block)) - 1n)) !== 0n;

export function blockContains(outer: IpBlock, inner: IpAddress | IpBlock): boolean {
  if (outer.family !== inner.family || ('prefix' in inner && inner.prefix < outer.prefix)) return false;
  return outer.bits >> hostBits(outer) === inner.bits >> hostBits(outer);
}

/** The canonical text (RFC 5952: the longest run of zeros, of two or more, is `::`). */
export function formatIp({ family, bits }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (bits >> BigInt(112 - 16 * i)) & 0xffffn);
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0n) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (part: readonly bigint[]): string => part.map((group) => group.toString(16)).join(':');
  if (best.length < 2) return text(groups);
  return `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
}
