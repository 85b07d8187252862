import type { Logger } from '#platform';

/** Tells events to whoever listens, at once; a listener that throws harms nobody else. */
export class EventHub<T> {
  readonly #listeners = new Set<(event: T) => void>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  emit(event: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (e) {
        this.#logger.error({ error: String(e) }, 'a listener of container events failed');
      }
    }
  }

  /** Returns the way to stop. */
  subscribe(listener: (event: T) => void): () => void {
    const own = (event: T): void => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }
}
