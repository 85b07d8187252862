/** The `k8ts` command's side of the agent's own API: HTTP on a Unix socket, one JSON object a line. */
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { createInterface } from 'node:readline';
import type { Image } from '#cri';

export type AgentImage = Image;

/** What happens during a build, in words for people. */
export interface AgentProgress {
  readonly text: string;
}

/** One line of a long answer. */
export type AgentLine<T> =
  | { readonly type: 'progress'; readonly progress: AgentProgress }
  | { readonly type: 'result'; readonly result: T }
  | { readonly type: 'error'; readonly message: string };

/** The agent is not there, or refused. */
export class AgentError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'AgentError';
  }
}

/** Asks the agent and waits for the result. @throws AgentError */
export async function askAgent<T>(
  socketPath: string,
  path: string,
  body: unknown,
  options: { readonly onProgress?: (progress: AgentProgress) => void; readonly signal?: AbortSignal } = {},
): Promise<T> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = requestHttp(
      {
        socketPath,
        path,
        method: 'POST',
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      resolve,
    );
    request.on('error', (error) => {
      const hint = 'no node agent answers: is the cluster up, with real containers? (k8ts up, k8ts status)';
      reject(new AgentError(hint, error));
    });
    request.end(JSON.stringify(body));
  });
  for await (const text of createInterface({ input: answer })) {
    const line = JSON.parse(text) as AgentLine<T>;
    if (line.type === 'progress') options.onProgress?.(line.progress);
    else if (line.type === 'result') return line.result;
    else throw new AgentError(line.message);
  }
  throw new AgentError('the agent ended before it answered');
}
