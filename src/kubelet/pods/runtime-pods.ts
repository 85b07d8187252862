/**
 * The pods that the runtime has, by uid, kept fresh by its events.
 *
 * Asking the runtime about every pod again and again is what makes idle nodes busy. So the answer for a pod is kept
 * until an event says that something happened to it; a rare `relist` repairs what an event lost.
 */
import {
  type ContainerEvent,
  type ContainerStatus,
  isRuntimeNotFound,
  type PodSandboxStatus,
  type RuntimeService,
} from '#cri';
import type { Files } from '#platform';
import { POD_UID_LABEL, readContainerNotes } from '../containers/labels.ts';
import { terminationMessage } from '../containers/termination-message.ts';
import {
  emptyRuntimePod,
  type RuntimeContainer,
  type RuntimeContainerState,
  type RuntimePod,
} from './runtime-pod.ts';

interface Entry {
  readonly sandboxIds: Set<string>;
  /** Undefined: something happened since it was asked. */
  answer: Promise<RuntimePod> | undefined;
  /** What a relist compares: container and sandbox states in one string. */
  fingerprint: string;
}

const STATES: Readonly<Record<ContainerStatus['state'], RuntimeContainerState>> = {
  CONTAINER_CREATED: 'created',
  CONTAINER_RUNNING: 'running',
  CONTAINER_EXITED: 'exited',
  CONTAINER_UNKNOWN: 'unknown',
};

export class RuntimePods {
  readonly #runtime: RuntimeService;
  readonly #files: Files;
  readonly #entries = new Map<string, Entry>();
  /** Containers that ended never change again. */
  readonly #ended = new Map<string, RuntimeContainer>();
  #onChange: (uid: string) => void = () => undefined;
  #unsubscribe: () => void = () => undefined;

  constructor(options: { readonly runtime: RuntimeService; readonly files: Files }) {
    this.#runtime = options.runtime;
    this.#files = options.files;
  }

  /** Learns what runs and from now on calls `onChange` for every pod to which something happened. */
  async start(onChange: (uid: string) => void): Promise<void> {
    this.#onChange = onChange;
    this.#unsubscribe = this.#runtime.onEvent((event) => this.#observe(event));
    await this.relist();
  }

  stop(): void {
    this.#unsubscribe();
  }

  /** Uids of all pods of which anything is left in the runtime. */
  uids(): readonly string[] {
    return [...this.#entries].filter(([, entry]) => entry.sandboxIds.size > 0).map(([uid]) => uid);
  }

  has(uid: string): boolean {
    return (this.#entries.get(uid)?.sandboxIds.size ?? 0) > 0;
  }

  /** The state after every event told so far. */
  async get(uid: string): Promise<RuntimePod> {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return emptyRuntimePod(uid);
    entry.answer ??= this.#ask(uid, entry);
    const asked = entry.answer;
    try {
      return await asked;
    } catch (e) {
      if (entry.answer === asked) entry.answer = undefined;
      throw e;
    }
  }

  /** Forces the next `get` to ask the runtime. */
  invalidate(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry !== undefined) entry.answer = undefined;
  }

  /** A sandbox that was just made; its event may come late. */
  noteSandbox(uid: string, sandboxId: string): void {
    const entry = this.#entry(uid);
    entry.sandboxIds.add(sandboxId);
    entry.answer = undefined;
  }

  /** Nothing of the pod is left. */
  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  /** Compares everything with what was last seen and reports the pods that differ: the repair for lost events. */
  async relist(): Promise<void> {
    const [sandboxes, containers] = await Promise.all([
      this.#runtime.listPodSandboxes(),
      this.#runtime.listContainers(),
    ]);
    const seen = new Map<string, string[]>();
    const note = (uid: string, text: string): void => {
      const list = seen.get(uid);
      if (list === undefined) seen.set(uid, [text]);
      else list.push(text);
    };
    const uidOfSandbox = new Map<string, string>();
    for (const sandbox of sandboxes) {
      const uid = sandbox.labels[POD_UID_LABEL];
      if (uid === undefined) continue;
      uidOfSandbox.set(sandbox.id, uid);
      this.#entry(uid).sandboxIds.add(sandbox.id);
      note(uid, `${sandbox.id}=${sandbox.state}`);
    }
    for (const { podSandboxId, id, state } of containers) {
      const uid = uidOfSandbox.get(podSandboxId);
      if (uid !== undefined) note(uid, `${id}=${state}`);
    }
    for (const [uid, entry] of this.#entries) {
      const fingerprint = (seen.get(uid) ?? []).sort().join(' ');
      if (fingerprint === entry.fingerprint) continue;
      entry.fingerprint = fingerprint;
      entry.answer = undefined;
      this.#onChange(uid);
    }
  }

  #observe(event: ContainerEvent): void {
    const entry = this.#entry(event.podUid);
    entry.answer = undefined;
    if (event.type === 'CONTAINER_DELETED') this.#ended.delete(event.containerId);
    else entry.sandboxIds.add(event.podSandboxId);
    this.#onChange(event.podUid);
  }

  #entry(uid: string): Entry {
    const known = this.#entries.get(uid);
    if (known !== undefined) return known;
    const entry: Entry = { sandboxIds: new Set(), answer: undefined, fingerprint: '' };
    this.#entries.set(uid, entry);
    return entry;
  }

  async #ask(uid: string, entry: Entry): Promise<RuntimePod> {
    const sandboxes: PodSandboxStatus[] = [];
    const containers: RuntimeContainer[] = [];
    await Promise.all(
      Array.from(entry.sandboxIds, async (sandboxId) => {
        const sandbox = await orGone(this.#runtime.podSandboxStatus(sandboxId));
        if (sandbox === undefined) {
          entry.sandboxIds.delete(sandboxId);
          return;
        }
        sandboxes.push(sandbox);
        containers.push(...(await this.#containersOf(sandboxId)));
      }),
    );
    sandboxes.sort((a, b) => newestFirst(a.createdAt, b.createdAt));
    containers.sort((a, b) => newestFirst(a.createdAt, b.createdAt));
    entry.fingerprint = [
      ...sandboxes.map(({ id, state }) => `${id}=${state}`),
      ...containers.map(({ id, state }) => `${id}=CONTAINER_${state.toUpperCase()}`),
    ]
      .sort()
      .join(' ');
    const newest = sandboxes[0];
    return { uid, ips: newest?.state === 'SANDBOX_READY' ? newest.ips : [], sandboxes, containers };
  }

  async #containersOf(sandboxId: string): Promise<readonly RuntimeContainer[]> {
    const listed = await this.#runtime.listContainers({ podSandboxId: sandboxId });
    const asked = await Promise.all(
      listed.map(async ({ id }) => {
        const ended = this.#ended.get(id);
        if (ended !== undefined) return ended;
        const status = await orGone(this.#runtime.containerStatus(id));
        if (status === undefined) return undefined;
        const container = await this.#describe(status);
        if (container.state === 'exited') this.#ended.set(id, container);
        return container;
      }),
    );
    return asked.filter((container) => container !== undefined);
  }

  async #describe(status: ContainerStatus): Promise<RuntimeContainer> {
    const notes = readContainerNotes(status, status.metadata.name);
    const exited = status.state === 'CONTAINER_EXITED';
    return {
      id: status.id,
      sandboxId: status.podSandboxId,
      name: notes.name,
      image: notes.imageName,
      imageRef: status.imageRef,
      hash: notes.hash,
      restartCount: notes.restartCount,
      state: STATES[status.state],
      createdAt: status.createdAt,
      startedAt: status.startedAt,
      finishedAt: status.finishedAt,
      exitCode: status.exitCode,
      reason: status.reason,
      message: exited ? await terminationMessage(this.#files, status, notes) : status.message,
      logPath: status.logPath,
      resources: status.resources,
      ...(status.user === undefined ? {} : { user: status.user }),
      ...(status.stopSignal === undefined ? {} : { stopSignal: status.stopSignal }),
    };
  }
}

const newestFirst = (a: bigint, b: bigint): number => (a > b ? -1 : a < b ? 1 : 0);

async function orGone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (e) {
    if (isRuntimeNotFound(e)) return undefined;
    throw e;
  }
}
