/** postStart and preStop hooks (KEP-3960 for sleep). */
import type { coreV1 } from '#api';
import type { RuntimeService } from '#cri';
import type { Clock, Sockets } from '#platform';
import { type Container, describePod, type Pod } from '../pods/pod-spec.ts';
import { httpGet, httpGetTarget } from '../probes/http-get.ts';

export interface HookTarget {
  readonly pod: Pod;
  readonly container: Container;
  readonly containerId: string;
}

export interface LifecycleHooks {
  /** Resolves when the hook has done its work. @throws Error with upstream's words when it failed, or the signal's reason. */
  run(
    hook: 'postStart' | 'preStop',
    target: HookTarget,
    options: { readonly signal: AbortSignal },
  ): Promise<void>;
}

export function createLifecycleHooks(options: {
  readonly runtime: RuntimeService;
  readonly sockets: Sockets;
  readonly clock: Clock;
  /** The pod's present address. */
  readonly podIp: (pod: Pod) => Promise<string>;
}): LifecycleHooks {
  const { runtime, sockets, clock, podIp } = options;

  async function exec(
    action: coreV1.ExecAction,
    { containerId }: HookTarget,
    signal: AbortSignal,
  ): Promise<void> {
    const command = action.command ?? [];
    const result = await abortable(runtime.execSync(containerId, command, 0), signal);
    if (result.exitCode === 0) return;
    const output = Buffer.concat([result.stdout, result.stderr]).toString();
    throw new HookFailure(`command '${command.join(' ')}' exited with ${result.exitCode}: ${output}`, output);
  }

  return {
    async run(hook, target, { signal }) {
      const handler = target.container.lifecycle?.[hook];
      const about = `for Container "${target.container.name}" in Pod "${describePod(target.pod)}" failed - error:`;
      if (handler?.exec !== undefined) {
        const command = `[${(handler.exec.command ?? []).join(' ')}]`;
        await worded(exec(handler.exec, target, signal), signal, (e) => {
          const output = e instanceof HookFailure ? e.output : '';
          return `Exec lifecycle hook (${command}) ${about} ${e.message}, message: ${JSON.stringify(output)}`;
        });
      } else if (handler?.httpGet !== undefined) {
        const { httpGet: action } = handler;
        const asked = (async () => {
          const ip = await podIp(target.pod);
          await httpGet(sockets, httpGetTarget(action, target.container, ip, 'lifecycle'), signal);
        })();
        await worded(
          asked,
          signal,
          (e) => `HTTP lifecycle hook (${action.path ?? '/'}) ${about} ${e.message}`,
        );
      } else if (handler?.sleep !== undefined) {
        await clock.sleep(handler.sleep.seconds * 1000, { signal });
      }
    },
  };
}

class HookFailure extends Error {
  readonly output: string;
  constructor(message: string, output: string) {
    super(message);
    this.output = output;
  }
}

async function worded(run: Promise<void>, signal: AbortSignal, words: (e: Error) => string): Promise<void> {
  try {
    await run;
  } catch (e) {
    signal.throwIfAborted();
    throw new Error(words(e as Error), { cause: e });
  }
}

/** The call goes on behind, but nobody waits for it any more. */
function abortable<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const leave = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', leave, { once: true });
  call.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  return promise;
}
