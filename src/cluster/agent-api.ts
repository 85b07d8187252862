/**
 * The agent's own little API for the `k8ts` command on the same machine: images, archives of images, builds. HTTP on a Unix socket
 * that only its owner can open; long work answers with one JSON object a line, the last one `result` or `error`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import type { BuildEvent, BuildOptions, Engine } from '#engine';
import type { AgentLine, AgentProgress } from '#launcher';
import type { Logger } from '#platform';

export interface AgentApi {
  close(): Promise<void>;
}

/** What a client may ask of a build. */
export type BuildRequest = Pick<
  BuildOptions,
  'context' | 'dockerfile' | 'tags' | 'target' | 'args' | 'noCache'
>;

const MAX_REQUEST_BYTES = 1024 * 1024;

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES) throw new Error('the request is too large');
    chunks.push(chunk);
  }
  return bytes === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
}

class AgentHandler {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** What a request asks for; `tell` sends progress. */
  async handle(
    path: string,
    body: unknown,
    tell: (progress: AgentProgress) => void,
    signal: AbortSignal,
  ): Promise<unknown> {
    switch (path) {
      case '/images':
        return this.#engine.images.listImages();
      case '/pull': {
        const { image } = body as { readonly image: string };
        return { id: await this.#engine.images.pullImage(image, undefined, { signal }) };
      }
      case '/build':
        return this.#build(body as BuildOptions, tell, signal);
      case '/import': {
        const { file } = body as { readonly file: string };
        const images = await this.#engine.importArchive(createReadStream(file), { signal });
        return images.map(({ id, repoTags }) => ({ id, repoTags }));
      }
      case '/prune':
        return { freedBytes: await this.#engine.pruneImages() };
      default:
        throw new Error(`the agent knows no ${path}`);
    }
  }

  async #build(
    { context, dockerfile, tags, target, args, noCache }: BuildOptions,
    tell: (progress: AgentProgress) => void,
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly names: readonly string[] }> {
    const onEvent = (event: BuildEvent): void => {
      const text = describe(event);
      if (text !== '') tell({ text });
    };
    const image = await this.#engine.build({
      context,
      tags,
      onEvent,
      signal,
      ...(dockerfile === undefined ? {} : { dockerfile }),
      ...(target === undefined ? {} : { target }),
      ...(args === undefined ? {} : { args }),
      ...(noCache === undefined ? {} : { noCache }),
    });
    return { id: image.id, names: image.repoTags };
  }
}

/** One line for people; '' for what they need not see. */
function describe(event: BuildEvent): string {
  switch (event.type) {
    case 'step':
      return `[${event.stage} ${event.step}/${event.steps}] ${event.instruction}`;
    case 'cached':
      return `cached: ${event.instruction}`;
    case 'output':
      return event.text.trimEnd();
    case 'built':
      return '';
    default:
      return event satisfies never;
  }
}

export async function serveAgentApi(options: {
  readonly socketPath: string;
  readonly engine: Engine;
  readonly logger: Logger;
}): Promise<AgentApi> {
  const { socketPath, engine, logger } = options;
  const handler = new AgentHandler(engine);
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const gone = new AbortController();
    response.on('close', () => {
      if (!response.writableFinished) gone.abort(new Error('the client has gone'));
    });
    const tell = (line: AgentLine<unknown>): void => void response.write(`${JSON.stringify(line)}\n`);
    response.setHeader('content-type', 'application/x-ndjson');
    try {
      const progress = (event: AgentProgress): void => tell({ type: 'progress', progress: event });
      const result = await handler.handle(request.url ?? '', await readJson(request), progress, gone.signal);
      tell({ type: 'result', result });
    } catch (error) {
      logger.info({ err: error, path: request.url }, 'a request of the command line failed');
      tell({ type: 'error', message: error instanceof Error ? error.message : String(error) });
    }
    response.end();
  };
  const server = createServer((request, response) => void respond(request, response));
  await rm(socketPath, { force: true });
  server.listen(socketPath);
  await once(server, 'listening');
  await chmod(socketPath, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
