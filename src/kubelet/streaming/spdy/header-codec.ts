/**
 * SPDY/3 header blocks. One compression context per direction lives as long as the connection, so blocks must be
 * decoded in the order in which they came.
 */
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { HEADER_DICTIONARY } from './header-dictionary.ts';

/** Bounds what a small compressed block can blow up to. */
const MAX_BLOCK_BYTES = 64 * 1024;

export type SpdyHeaders = Readonly<Record<string, string>>;

export class HeaderCodec {
  readonly #inflate: Inflate = createInflate({
    dictionary: HEADER_DICTIONARY,
    flush: constants.Z_SYNC_FLUSH,
  });
  readonly #deflate: Deflate = createDeflate({ dictionary: HEADER_DICTIONARY });

  /** Names in lower case. @throws when the block is damaged or too large. */
  async decode(block: Buffer): Promise<SpdyHeaders> {
    return parseBlock(await collect(this.#inflate, block, false));
  }

  encode(headers: SpdyHeaders): Promise<Buffer> {
    const parts: Buffer[] = [uint32(Object.keys(headers).length)];
    for (const [name, value] of Object.entries(headers)) parts.push(text(name), text(value));
    return collect(this.#deflate, Buffer.concat(parts), true);
  }

  close(): void {
    this.#inflate.destroy();
    this.#deflate.destroy();
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** What the stream puts out for one input. */
function collect(stream: Inflate | Deflate, input: Buffer, flush: boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_BLOCK_BYTES) stop(new Error('a SPDY header block is too large'));
    };
    const stop = (error?: Error | null): void => {
      stream.off('data', onData);
      stream.off('error', stop);
      if (error === undefined || error === null) resolve(Buffer.concat(chunks));
      else reject(error);
    };
    stream.on('data', onData);
    stream.on('error', stop);
    stream.write(input, (error) => {
      if (error !== undefined && error !== null) stop(error);
      else if (flush) stream.flush(constants.Z_SYNC_FLUSH, () => stop());
      else stop();
    });
  });
}

function parseBlock(block: Buffer): SpdyHeaders {
  const headers: Record<string, string> = {};
  let at = 0;
  const next = (): number => {
    const value = block.readUInt32BE(at);
    at += 4;
    return value;
  };
  const nextText = (): string => {
    const length = next();
    if (at + length > block.length) throw new Error('a SPDY header block ends too early');
    const value = block.toString('latin1', at, at + length);
    at += length;
    return value;
  };
  for (let left = next(); left > 0; left--) headers[nextText().toLowerCase()] = nextText();
  return headers;
}
