/** How simulated containers and images behave: by a function of the test, or by an annotation of the pod. */
import type { ContainerConfig, PodSandboxConfig } from '#cri';

/**
 * Annotation with the scripts of a pod's containers as JSON, by container name:
 * `{"app":{"exitAfterMs":1000,"exitCode":1}}`. A list gives one script per restart; the last one repeats.
 */
export const SCRIPT_ANNOTATION = 'simulation.k8ts.io/containers';

export interface ContainerScript {
  /** Absent: runs until it is stopped. */
  readonly exitAfterMs?: number;
  /** Default 0. */
  readonly exitCode?: number;
  /** Default `Completed` for exit code 0, else `Error`. */
  readonly reason?: string;
  readonly message?: string;
  /** How long it takes to leave after the stop signal, at most the grace period. Default 0. */
  readonly stopAfterMs?: number;
  /** Exit code when it was asked to stop. Default 0. */
  readonly stopExitCode?: number;
  /** Creating it fails with this message. */
  readonly createError?: string;
  /** Starting it fails with this message. */
  readonly startError?: string;
  /** Lines it writes to stdout when it starts. */
  readonly logs?: readonly string[];
  /** What its commands answer, by the first word of the command. Absent: exit code 0, no output. */
  readonly exec?: Readonly<Record<string, { readonly exitCode?: number; readonly output?: string }>>;
  /** Probes of these handlers fail: `http`, `tcp`, `grpc`, `exec`. For the simulated prober. */
  readonly failProbes?: readonly string[];
}

export interface ImageScript {
  readonly pullMs?: number;
  /** Pulling fails with this message. */
  readonly error?: string;
  readonly sizeBytes?: number;
  readonly uid?: number;
  readonly username?: string;
}

export interface SimulatedBehaviour {
  container?(config: ContainerConfig, sandbox: PodSandboxConfig): ContainerScript | undefined;
  image?(name: string): ImageScript | undefined;
}

const FOREVER: ContainerScript = {};

export function scriptFor(
  behaviour: SimulatedBehaviour,
  config: ContainerConfig,
  sandbox: PodSandboxConfig,
): ContainerScript {
  return behaviour.container?.(config, sandbox) ?? annotatedScript(config, sandbox) ?? FOREVER;
}

function annotatedScript(config: ContainerConfig, sandbox: PodSandboxConfig): ContainerScript | undefined {
  const text = sandbox.annotations[SCRIPT_ANNOTATION];
  if (text === undefined) return undefined;
  const scripts = JSON.parse(text) as Record<string, ContainerScript | readonly ContainerScript[]>;
  const script = scripts[config.metadata.name];
  if (script === undefined || !isList(script)) return script;
  return script[Math.min(config.metadata.attempt, script.length - 1)];
}

const isList = (value: ContainerScript | readonly ContainerScript[]): value is readonly ContainerScript[] =>
  Array.isArray(value);
