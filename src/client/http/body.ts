import type { Readable } from 'node:stream';

/** Largest answer read; a list of 50,000 pods fits. Beyond it the request fails. */
export const MAX_RESPONSE_BYTES = 256 * 1024 * 1024;
/** Longest line of a watch: one event with its object. */
export const MAX_EVENT_BYTES = 16 * 1024 * 1024;

const NEWLINE = 0x0a;

/** @throws Error when it is longer than MAX_RESPONSE_BYTES. */
export async function readBody(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_RESPONSE_BYTES)
      throw new Error(`the answer is longer than ${MAX_RESPONSE_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes).toString('utf8');
}

/** The lines of a stream, as they come in; a last one without a newline is dropped, for it was cut off. */
export async function* readLines(stream: Readable): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const tail = chunk.subarray(from, end);
      const line = rest.length === 0 ? tail : Buffer.concat([...rest, tail]);
      rest = [];
      restBytes = 0;
      from = end + 1;
      if (line.length > 0) yield line.toString('utf8');
    }
    if (from >= chunk.length) continue;
    rest.push(chunk.subarray(from));
    restBytes += chunk.length - from;
    if (restBytes > MAX_EVENT_BYTES) throw new Error(`a watch event is longer than ${MAX_EVENT_BYTES} bytes`);
  }
}
