/** Owners known not to exist. A uid is never used twice, so this stays true; the oldest are forgotten. */
const MAX_ABSENT = 500;

export class AbsentOwners {
  readonly #keys = new Set<string>();

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  add(key: string): void {
    this.#keys.add(key);
    const [oldest] = this.#keys;
    if (this.#keys.size > MAX_ABSENT && oldest !== undefined) this.#keys.delete(oldest);
  }
}
