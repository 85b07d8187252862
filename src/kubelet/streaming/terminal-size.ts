/** Terminal sizes as they arrive: JSON objects `{"Width":80,"Height":24}`, one after the other. */

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** Sizes not yet taken by the reader; only the newest matters, so older ones are dropped. */
export class TerminalSizes implements AsyncIterable<TerminalSize> {
  #latest: TerminalSize | undefined;
  #wake: (() => void) | undefined;
  #ended = false;
  #text = '';

  /** Bytes of the resize channel; an object may be split over several. */
  push(data: Buffer): void {
    this.#text = (this.#text + data.toString()).slice(-1024);
    for (let end = this.#text.indexOf('}'); end >= 0; end = this.#text.indexOf('}')) {
      const size = parseSize(this.#text.slice(0, end + 1));
      this.#text = this.#text.slice(end + 1);
      if (size !== undefined) this.#latest = size;
    }
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TerminalSize> {
    for (;;) {
      const size = this.#latest;
      this.#latest = undefined;
      if (size !== undefined) yield size;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

function parseSize(text: string): TerminalSize | undefined {
  try {
    const { Width, Height } = JSON.parse(text.trim()) as {
      readonly Width?: unknown;
      readonly Height?: unknown;
    };
    return typeof Width === 'number' && typeof Height === 'number' && Width > 0 && Height > 0
      ? { width: Width, height: Height }
      : undefined;
  } catch {
    return undefined;
  }
}
