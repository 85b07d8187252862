/** IPv4 addresses of one range, lowest free one first. */
export class AddressPool {
  readonly #first: number;
  readonly #size: number;
  readonly #freed: number[] = [];
  #next = 0;

  /** `cidr` like `10.244.0.0/16`. Network address, gateway (the first host) and broadcast are not given out. */
  constructor(cidr: string) {
    const [base = '', bits = ''] = cidr.split('/');
    const network = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    this.#first = network + 2;
    this.#size = 2 ** (32 - Number(bits)) - 3;
  }

  /** @throws RangeError when all are taken. */
  take(): string {
    const offset = this.#freed.pop() ?? this.#next++;
    if (offset >= this.#size) throw new RangeError('no free address in the range');
    const address = this.#first + offset;
    return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
  }

  give(address: string): void {
    const value = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    this.#freed.push(value - this.#first);
  }
}
