/** The `k8ts` command. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { AgentError, ClusterNameError, findProgram, LaunchError, NoRoomError } from '#launcher';
import { systemClock } from '#platform/node';
import { down } from './commands/down.ts';
import { build, type BuildCommandOptions, describeImages, listImages, pullImage } from './commands/images.ts';
import { logs } from './commands/logs.ts';
import { describeStart, start } from './commands/start.ts';
import { describeStatus, status } from './commands/status.ts';
import { describeUp, up, type UpCommandOptions } from './commands/up.ts';
import { CommandError, DEFAULT_CLUSTER, EXIT, layoutFor, packageVersion, requireConfig } from './context.ts';
import { noProgress, type Progress, terminalProgress } from './progress.ts';

const interrupted = new AbortController();
const progress: Progress =
  process.argv.includes('--json') && !process.stderr.isTTY
    ? noProgress
    : terminalProgress(process.stderr, () => systemClock.monotonic());

const printJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
const collect = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];

const program = new Command('k8ts')
  .description('Kubernetes, whole: a cluster on this machine in about a second')
  .version(packageVersion())
  .showHelpAfterError()
  // Instead of ending the process: what it throws is reported below.
  .exitOverride()
  .configureHelp({ sortSubcommands: false });

const named = (command: Command): Command =>
  command.option('--name <name>', 'which cluster', process.env['K8TS_CLUSTER'] ?? DEFAULT_CLUSTER);

function withUpOptions(command: Command): Command {
  return named(command)
    .option('--port <port>', 'port of the API server (0: 6443 or the next free one)', '0')
    .option('--store <kind>', 'embedded (durable, the default), memory, or etcd', 'embedded')
    .option('--etcd-endpoints <urls>', 'with --store etcd: comma-separated addresses')
    .option(
      '--runtime-config <versions>',
      'API versions beyond the stable ones, e.g. api/all=true',
      collect,
      [],
    )
    .option('--simulate', 'simulated nodes even where real containers are possible')
    .option('--nodes <count>', 'how many simulated nodes', '1')
    .option('--no-merge', "leave the user's kubeconfig alone")
    .option('--wait <seconds>', 'how long to wait for the nodes (0: not at all)', '60')
    .option('--json', 'print the result as JSON');
}

withUpOptions(program.command('up'))
  .description('bring a cluster up, or bring back one that is down')
  .action(async (options: UpCommandOptions) => {
    const result = await untilInterrupted(options.name, up(options, progress));
    if (options.json === true) printJson({ ...result.config, kubeconfig: result.layout.kubeconfig });
    else process.stdout.write(describeUp(result));
  });

withUpOptions(program.command('start'))
  .description('up, with the sample application built and deployed')
  .action(async (options: UpCommandOptions) => {
    const result = await untilInterrupted(options.name, start(options, progress, interrupted.signal));
    if (options.json === true)
      printJson({ ...result.config, url: result.url, kubeconfig: result.layout.kubeconfig });
    else process.stdout.write(describeStart(result, await kubectlCommand()));
  });

named(program.command('down'))
  .description('stop the cluster and remove what it made on this machine; data stays')
  .option('--purge', 'remove the data too: objects, images, keys')
  .action(async ({ name, purge }: { readonly name: string; readonly purge?: boolean }) => {
    const existed = await down(name, purge === true, progress);
    process.stdout.write(existed ? `Cluster ${name} is down.\n` : `There was no cluster "${name}".\n`);
  });

named(program.command('status'))
  .description('processes, nodes, versions, data')
  .option('--json', 'print it as JSON')
  .action(async ({ name, json }: { readonly name: string; readonly json?: boolean }) => {
    const report = await status(name);
    if (json === true) printJson(report);
    else process.stdout.write(describeStatus(report));
    if (!report.running) process.exitCode = EXIT.notRunning;
  });

named(program.command('kubeconfig'))
  .description('print a kubeconfig for the cluster')
  .action(({ name }: { readonly name: string }) => {
    const layout = layoutFor(name);
    requireConfig(layout);
    process.stdout.write(readFileSync(layout.kubeconfig, 'utf8'));
  });

named(program.command('build'))
  .description('build an image from a Dockerfile, for the cluster to use at once')
  .argument('<context>', 'folder with the Dockerfile and what it copies')
  .requiredOption('-t, --tag <name>', 'name of the image; may be given several times', collect)
  .option('-f, --file <path>', 'the Dockerfile, when it is not <context>/Dockerfile')
  .option('--build-arg <name=value>', 'value of an ARG; may be given several times', collect, [])
  .option('--target <stage>', 'stop at this stage')
  .option('--no-cache', 'build every instruction anew')
  .option('--json', 'print the result as JSON')
  .action(async (context: string, options: BuildCommandOptions & { readonly json?: boolean }) => {
    const image = await build(context, options, progress, interrupted.signal);
    progress.done();
    if (options.json === true) printJson(image);
    else process.stdout.write(`${image.id}\n`);
  });

named(program.command('images'))
  .description('images the node has')
  .option('--json', 'print them as JSON')
  .action(async ({ name, json }: { readonly name: string; readonly json?: boolean }) => {
    const images = await listImages(name);
    if (json === true) printJson(images);
    else process.stdout.write(describeImages(images));
  });

named(program.command('pull'))
  .description('pull an image from its registry onto the node')
  .argument('<image>', 'e.g. registry.example/team/app:1.2')
  .action(async (image: string, { name }: { readonly name: string }) => {
    progress.step(`pulling ${image}`);
    const { id } = await pullImage(name, image, interrupted.signal);
    progress.done();
    process.stdout.write(`${id}\n`);
  });

named(program.command('logs'))
  .description("log of one of the cluster's own processes")
  .argument('[process]', 'server or agent', 'server')
  .option('-f, --follow', 'go on printing')
  .option('--tail <lines>', 'how many of the last lines', '100')
  .action(
    async (
      role: string,
      options: { readonly name: string; readonly follow?: boolean; readonly tail: string },
    ) => {
      const follow = options.follow === true;
      await logs(
        options.name,
        role,
        { follow, tail: Number(options.tail) },
        process.stdout,
        interrupted.signal,
      );
    },
  );

/** kubectl as people can call it: their own, or the one that comes with the development packages. */
async function kubectlCommand(): Promise<string> {
  if (findProgram('kubectl', process.env['PATH'] ?? '') !== undefined) return 'kubectl';
  try {
    return (await import('./packaged-tools.ts')).kubectlPath();
  } catch {
    return 'kubectl';
  }
}

/** Ctrl-C while a cluster is coming up takes it down again. */
async function untilInterrupted<T>(name: string, work: Promise<T>): Promise<T> {
  const stop = new Promise<never>((_resolve, reject) => {
    interrupted.signal.addEventListener('abort', () => reject(interrupted.signal.reason as Error));
  });
  stop.catch(() => undefined);
  try {
    return await Promise.race([work, stop]);
  } catch (error) {
    if (interrupted.signal.aborted) {
      progress.failed();
      await down(name, false, progress);
    }
    throw error;
  }
}

class Interrupted extends CommandError {
  constructor() {
    super('interrupted', 130);
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => interrupted.abort(new Interrupted()));

function report(error: unknown): number {
  // Help and version come as errors too; commander has printed what there is to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  progress.failed();
  if (error instanceof CommandError) {
    if (!(error instanceof Interrupted)) process.stderr.write(`k8ts: ${error.message}\n`);
    return error.exitCode;
  }
  const known = [LaunchError, AgentError, ClusterNameError, NoRoomError].some(
    (kind) => error instanceof kind,
  );
  const detail =
    error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`k8ts: ${detail}\n`);
  return EXIT.failed;
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
