import { resolve } from 'node:path';
import { type AgentImage, askAgent } from '#launcher';
import { CommandError, EXIT, layoutFor, requireConfig } from '../context.ts';
import type { Progress } from '../progress.ts';

/** The socket of the node's agent. @throws CommandError when the cluster has no real node. */
function agentOf(name: string): string {
  const layout = layoutFor(name);
  if (requireConfig(layout).mode === 'simulated') {
    throw new CommandError(`cluster ${name} has simulated nodes: they have no images`, EXIT.notRunning);
  }
  return layout.agentSocket;
}

export const listImages = (name: string): Promise<readonly AgentImage[]> =>
  askAgent(agentOf(name), '/images', {});

export const pullImage = (
  name: string,
  image: string,
  signal: AbortSignal,
): Promise<{ readonly id: string }> => askAgent(agentOf(name), '/pull', { image }, { signal });

export interface BuildCommandOptions {
  readonly name: string;
  readonly tag: readonly string[];
  readonly file?: string;
  readonly buildArg: readonly string[];
  readonly target?: string;
  readonly cache: boolean;
}

export interface BuiltImage {
  readonly id: string;
}

export async function build(
  context: string,
  options: BuildCommandOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<BuiltImage> {
  const args = options.buildArg.map((text) => {
    const equals = text.indexOf('=');
    if (equals < 1) throw new CommandError(`--build-arg takes NAME=VALUE, not "${text}"`, EXIT.usage);
    return [text.slice(0, equals), text.slice(equals + 1)] as const;
  });
  const request = {
    context: resolve(context),
    ...(options.file === undefined ? {} : { dockerfile: resolve(options.file) }),
    tags: options.tag,
    args: Object.fromEntries(args),
    ...(options.target === undefined ? {} : { target: options.target }),
    noCache: !options.cache,
  };
  progress.step(`building ${options.tag[0] ?? context}`);
  try {
    return await askAgent<BuiltImage>(agentOf(options.name), '/build', request, {
      onProgress: ({ text }) => progress.detail(text),
      signal,
    });
  } catch (error) {
    progress.failed();
    throw error;
  }
}

export function describeImages(images: readonly AgentImage[]): string {
  const rows = images.flatMap((image) =>
    image.repoTags.map((tag) => [
      tag,
      image.id.replace('sha256:', '').slice(0, 12),
      `${(image.sizeBytes / 1e6).toFixed(1)} MB`,
    ]),
  );
  const table = [['IMAGE', 'ID', 'SIZE'], ...rows.sort(([a = ''], [b = '']) => a.localeCompare(b))];
  const width = (column: number): number => Math.max(...table.map((row) => row[column]?.length ?? 0));
  const [first, second] = [width(0), width(1)];
  return table.map(([a = '', b = '', c = '']) => `${a.padEnd(first)}  ${b.padEnd(second)}  ${c}\n`).join('');
}
