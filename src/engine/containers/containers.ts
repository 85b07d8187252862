/**
 * The life of containers. Each has a record in a file; what changes it runs one after another per container. Exits
 * are told by the monitors' files, also those that happened while no engine was there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Logger } from '#platform';
import { RuntimeError } from '#cri';
import type { ContainerConfig, ContainerEvent, LinuxResources, PodSandboxConfig } from '#cri';
import type { EnginePaths } from '../engine-paths.ts';
import type { RecordStore } from '../record-store.ts';
import type { Sandboxes } from '../sandbox/sandboxes.ts';
import { Serial } from '../serial.ts';
import { oomKills, processesOf } from './cgroups.ts';
import type { ContainerPreparation } from './container-preparation.ts';
import type { ContainerEnd, ContainerRecord } from './container-record.ts';
import { stateOf } from './container-view.ts';
import { ExitFiles } from './exit-files.ts';
import { isSameProcess, processStartTime, signalProcess } from './host-process.ts';
import type { Monitor } from './monitor.ts';
import type { Runc } from './runc.ts';
import { specResources } from './runtime-spec.ts';
import { signalNumber } from './signals.ts';

export interface ContainersOptions {
  readonly paths: EnginePaths;
  readonly records: RecordStore<ContainerRecord>;
  readonly sandboxes: Sandboxes;
  readonly preparation: ContainerPreparation;
  readonly monitor: Monitor;
  readonly runc: Runc;
  readonly clock: Clock;
  readonly nanos: () => bigint;
  readonly newId: () => string;
  readonly emit: (event: ContainerEvent) => void;
  readonly logger: Logger;
}

/** Exit codes as containerd gives them: could not start; nobody saw how it ended. */
const EXIT_START_FAILED = 128;
const EXIT_UNKNOWN = 255;
const SIGKILL = 9;
/** A container whose process has been gone for this long without an exit file has lost its monitor. */
const LOST_AFTER_MS = 5_000;
/** How long the monitor of a killed container has to say so before the engine says it itself. */
const KILL_GRACE_MS = 10_000;

export class Containers {
  readonly #options: ContainersOptions;
  readonly #serial = new Serial();
  readonly #exits: ExitFiles;
  /** Called when the container has ended. */
  readonly #waiters = new Map<string, Set<() => void>>();

  /** Running containers without a process, under observation. */
  readonly #suspects = new Set<string>();
  /** Ended containers of which the runtime knows nothing any more. */
  readonly #freed = new Set<string>();

  constructor(options: ContainersOptions) {
    this.#options = options;
    this.#exits = new ExitFiles(options.paths.exits, options.logger);
  }

  /** Takes over the containers of an earlier engine. */
  async open(): Promise<void> {
    const { records, logger } = this.#options;
    await this.#exits.open((id) => {
      if (records.get(id) === undefined) return;
      this.#noticeExit(id).catch((e: unknown) =>
        logger.error({ container: id, error: String(e) }, 'exit not recorded'),
      );
    });
    for (const record of records.list()) {
      if (stateOf(record) !== 'CONTAINER_RUNNING' || this.#exits.read(record.id) !== undefined) continue;
      // No exit code and no process: the machine was restarted, or the monitor was killed with it.
      if (!isAlive(record)) await this.#finish(record, EXIT_UNKNOWN, 'Unknown');
    }
    await this.#serial.idle();
  }

  close(): void {
    this.#exits.close();
  }

  /** @throws RuntimeError NOT_FOUND. */
  get(id: string): ContainerRecord {
    const record = this.#options.records.get(id);
    if (record === undefined) throw new RuntimeError('NOT_FOUND', `container "${id}" not found`);
    return record;
  }

  /** @throws RuntimeError FAILED_PRECONDITION unless it runs. */
  getRunning(id: string): ContainerRecord & { readonly pid: number } {
    const record = this.get(id);
    const { pid } = record;
    if (stateOf(record) !== 'CONTAINER_RUNNING' || pid === undefined) {
      throw new RuntimeError('FAILED_PRECONDITION', `container is in ${stateOf(record)} state`);
    }
    return { ...record, pid };
  }

  list(): readonly ContainerRecord[] {
    const records = this.#options.records.list();
    for (const record of records)
      if (stateOf(record) === 'CONTAINER_RUNNING' && !isAlive(record)) this.#suspect(record.id);
    return records;
  }

  /**
   * The process is gone: its monitor is about to say so, or has been killed and never will. In the second case the
   * engine says it after a while.
   */
  #suspect(id: string): void {
    if (this.#suspects.has(id)) return;
    this.#suspects.add(id);
    this.#options.clock.setTimer(LOST_AFTER_MS, () => {
      this.#suspects.delete(id);
      this.#serial
        .run(id, async () => {
          const record = this.#options.records.get(id);
          if (record === undefined || stateOf(record) !== 'CONTAINER_RUNNING' || isAlive(record)) return;
          await this.#finish(record, EXIT_UNKNOWN, 'Unknown');
        })
        .catch((e: unknown) =>
          this.#options.logger.error({ container: id, error: String(e) }, 'lost container not recorded'),
        );
    });
  }

  ofSandbox(sandboxId: string): readonly ContainerRecord[] {
    return this.list().filter((record) => record.sandboxId === sandboxId);
  }

  async create(sandboxId: string, config: ContainerConfig, sandboxConfig: PodSandboxConfig): Promise<string> {
    const { sandboxes, preparation, records, nanos, newId } = this.#options;
    const sandbox = sandboxes.get(sandboxId);
    if (sandbox.state !== 'SANDBOX_READY') {
      throw new RuntimeError('FAILED_PRECONDITION', `sandbox "${sandboxId}" is not ready`);
    }
    const id = newId();
    const { pid: pidMode, targetId = '' } = config.linux.security.namespaces;
    const pidNamespaceOf =
      pidMode === 'TARGET' ? this.getRunning(targetId).pid : pidMode === 'POD' ? sandbox.pausePid : undefined;
    return this.#serial.run(id, async () => {
      try {
        const record = await preparation.prepare({
          id,
          createdAt: nanos(),
          config,
          sandbox,
          sandboxConfig,
          files: sandboxes.files(sandboxId),
          pidNamespaceOf,
        });
        await records.put(record);
        this.#emit(record, 'CONTAINER_CREATED');
        return id;
      } catch (e) {
        await preparation.undo(id);
        await records.remove(id);
        if (e instanceof RuntimeError) throw e;
        throw new RuntimeError(
          'UNKNOWN',
          `failed to create container: ${e instanceof Error ? e.message : String(e)}`,
          e,
        );
      }
    });
  }

  start(id: string): Promise<void> {
    return this.#serial.run(id, async () => {
      const record = this.get(id);
      if (stateOf(record) !== 'CONTAINER_CREATED') {
        throw new RuntimeError('FAILED_PRECONDITION', `container is in ${stateOf(record)} state`);
      }
      const { monitor, runc, records, nanos, paths } = this.#options;
      const { config } = record;
      try {
        const pid = await monitor.create({
          id,
          name: config.metadata.name,
          bundle: paths.bundle(id),
          logPath: record.logPath,
          terminal: config.tty,
          stdin: config.stdin,
          keepsStdinOpen: config.stdin && !config.stdinOnce,
        });
        const processStart = processStartTime(pid);
        await runc.start(id, this.#options.clock);
        await records.put({ ...record, pid, processStart, startedAt: nanos().toString() });
      } catch (e) {
        throw await this.#failStart(record, e);
      }
      this.#emit(record, 'CONTAINER_STARTED');
    });
  }

  /** A container that could not start has ended: the kubelet reads why from its status, too. */
  async #failStart(record: ContainerRecord, cause: unknown): Promise<RuntimeError> {
    const words = cause instanceof Error ? cause.message : String(cause);
    const message = `failed to create task for container: OCI runtime create failed: ${words}: unknown`;
    await this.#options.runc.deleteForced(record.id);
    await this.#finish(record, EXIT_START_FAILED, 'StartError', message);
    return new RuntimeError('UNKNOWN', message, cause);
  }

  /** Sends the stop signal, then SIGKILL. Resolves when the container has ended. Idempotent. */
  async stop(id: string, timeoutSeconds: number, signal?: AbortSignal): Promise<void> {
    const record = this.#options.records.get(id);
    if (record === undefined || stateOf(record) !== 'CONTAINER_RUNNING') return;
    if (timeoutSeconds > 0) {
      const stopSignal = signalNumber(record.stopSignal) ?? SIGKILL;
      if (isAlive(record)) signalProcess(record.pid ?? 0, stopSignal);
      if (await this.#ended(id, timeoutSeconds * 1000, signal)) return;
    }
    this.#kill(record);
    if (await this.#ended(id, KILL_GRACE_MS, signal)) return;
    // The monitor is gone: nobody will write the exit file.
    await this.#serial.run(id, async () => {
      const current = this.get(id);
      if (stateOf(current) !== 'CONTAINER_RUNNING') return;
      if (isAlive(current))
        throw new RuntimeError('DEADLINE_EXCEEDED', `container "${id}" does not end on SIGKILL`);
      await this.#finish(current, 128 + SIGKILL, 'Unknown');
    });
  }

  /** Every process of the container: with a PID namespace of its own the first one takes the others along. */
  #kill(record: ContainerRecord): void {
    if (isAlive(record)) signalProcess(record.pid ?? 0, SIGKILL);
    for (const pid of processesOf(record.cgroup)) signalProcess(pid, SIGKILL);
  }

  /** True when the container ends within the time. */
  #ended(id: string, withinMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#isOver(id)) return Promise.resolve(true);
    const waiters = this.#waiters.get(id) ?? new Set();
    this.#waiters.set(id, waiters);
    return new Promise((resolve, reject) => {
      const settle = (then: () => void) => (): void => {
        waiters.delete(onEnd);
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        then();
      };
      const onEnd = settle(() => resolve(true));
      const onAbort = settle(() => reject(signal?.reason as Error));
      const timer = this.#options.clock.setTimer(
        withinMs,
        settle(() => resolve(false)),
      );
      waiters.add(onEnd);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
    });
  }

  #isOver(id: string): boolean {
    const record = this.#options.records.get(id);
    return record === undefined || record.end !== undefined;
  }

  /** Resolves when the container has ended or is gone; rejects with the signal's reason. */
  async untilEnd(id: string, signal?: AbortSignal): Promise<void> {
    const ever = 2 ** 31 - 1;
    while (!(await this.#ended(id, ever, signal)));
  }

  async remove(id: string): Promise<void> {
    const { records, preparation, runc, paths } = this.#options;
    if (records.get(id) === undefined) return;
    await this.stop(id, 0);
    await this.#serial.run(id, async () => {
      const record = records.get(id);
      if (record === undefined) return;
      if (record.startedAt !== undefined && !this.#freed.delete(id)) await runc.delete(id);
      await preparation.undo(id);
      await rm(join(paths.exits, id), { force: true });
      await records.remove(id);
      this.#emit(record, 'CONTAINER_DELETED');
    });
  }

  update(id: string, resources: LinuxResources): Promise<void> {
    return this.#serial.run(id, async () => {
      const record = this.get(id);
      const state = stateOf(record);
      if (state === 'CONTAINER_EXITED')
        throw new RuntimeError('FAILED_PRECONDITION', `container is in ${state} state`);
      const { runc, records, paths } = this.#options;
      if (state === 'CONTAINER_RUNNING') await runc.update(id, specResources(resources));
      else updateSpec(join(paths.bundle(id), 'config.json'), resources);
      await records.put({ ...record, resources: { ...record.resources, ...resources } });
    });
  }

  #noticeExit(id: string): Promise<void> {
    return this.#serial.run(id, async () => {
      const record = this.#options.records.get(id);
      const exit = this.#exits.read(id);
      if (record === undefined || exit === undefined || stateOf(record) !== 'CONTAINER_RUNNING') return;
      const exitCode = exit.exitCode < 0 ? EXIT_UNKNOWN : exit.exitCode;
      const reason = exitCode === 0 ? 'Completed' : oomKills(record.cgroup) > 0 ? 'OOMKilled' : 'Error';
      await this.#finish(record, exitCode, reason);
    });
  }

  /** Records the end, tells it, then frees what only a living container needs. Runs in the container's turn. */
  async #finish(record: ContainerRecord, exitCode: number, reason: string, message = ''): Promise<void> {
    const { records, nanos, runc, preparation, logger } = this.#options;
    const { id } = record;
    const end: ContainerEnd = { finishedAt: nanos().toString(), exitCode, reason, message };
    await records.put({ ...record, startedAt: record.startedAt ?? '0', end });
    for (const waiter of this.#waiters.get(id) ?? []) waiter();
    this.#waiters.delete(id);
    this.#emit(record, 'CONTAINER_STOPPED');
    // In a shared PID namespace children outlive the first process.
    for (const pid of processesOf(record.cgroup)) signalProcess(pid, SIGKILL);
    try {
      if (!(await runc.free(id, record.cgroup))) await runc.delete(id);
      preparation.unmount(id);
      this.#freed.add(id);
    } catch (e) {
      logger.warn({ container: id, error: String(e) }, 'ended container not freed yet');
    }
  }

  #emit({ id, sandboxId, podUid }: ContainerRecord, type: ContainerEvent['type']): void {
    this.#options.emit({ type, containerId: id, podSandboxId: sandboxId, podUid });
  }
}

const isAlive = ({ pid, processStart }: ContainerRecord): boolean =>
  pid !== undefined && isSameProcess(pid, processStart);

/** Limits of a container that has not started yet. */
function updateSpec(path: string, resources: LinuxResources): void {
  const spec = JSON.parse(readFileSync(path, 'utf8')) as { readonly linux: { readonly resources: object } };
  const merged = { ...spec.linux.resources, ...specResources(resources) };
  writeFileSync(path, JSON.stringify({ ...spec, linux: { ...spec.linux, resources: merged } }));
}
