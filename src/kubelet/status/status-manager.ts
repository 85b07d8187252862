/**
 * Brings pod statuses to the API: one request per pod at a time, always the newest status, nothing when nothing
 * changed. Deletes a pod from the API when the kubelet is done with it.
 */
import type { coreV1 } from '#api';
import { type Client, resources } from '#client';
import { isConflict, isNotFound } from '#machinery';
import type { Clock, Logger, Timer } from '#platform';
import { describePod, isTerminalPhase, type Pod, podName, podNamespace, podUid } from '../pods/pod-spec.ts';
import { endedCondition, stampCondition } from './conditions.ts';
import { statusPatch } from './status-patch.ts';

type PodStatus = coreV1.PodStatus;

interface Entry {
  pod: Pod;
  /** Undefined: nothing to say yet. */
  wanted: PodStatus | undefined;
  /** Every container is gone: a terminal phase may be told. */
  stopped: boolean;
  /** Everything of the pod is torn down: it may be deleted. */
  finished: boolean;
  sending: boolean;
  dirty: boolean;
  retry: Timer | undefined;
  failures: number;
}

/** Requests under way at once. */
const MAX_PARALLEL = 16;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;

export class StatusManager {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #now: () => string;
  readonly #entries = new Map<string, Entry>();
  readonly #queue = new Set<string>();
  #running = 0;
  #stopped = false;

  constructor(options: {
    readonly client: Client;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly now: () => string;
  }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#now = options.now;
  }

  /** The status last decided for the pod, told or not. */
  get(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.wanted;
  }

  /** The newest state of the pod in the API. */
  observe(pod: Pod): void {
    const entry = this.#entries.get(podUid(pod));
    if (entry === undefined) return;
    entry.pod = pod;
    if (entry.wanted !== undefined) this.#enqueue(podUid(pod), entry);
  }

  set(
    pod: Pod,
    status: PodStatus,
    state: { readonly stopped: boolean; readonly finished: boolean } = { stopped: false, finished: false },
  ): void {
    const uid = podUid(pod);
    let entry = this.#entries.get(uid);
    if (entry === undefined) {
      entry = {
        pod,
        wanted: undefined,
        stopped: false,
        finished: false,
        sending: false,
        dirty: false,
        retry: undefined,
        failures: 0,
      };
      this.#entries.set(uid, entry);
    }
    entry.wanted = status;
    entry.stopped ||= state.stopped;
    entry.finished ||= state.finished;
    this.#enqueue(uid, entry);
  }

  /** The pod is gone from the API. */
  forget(uid: string): void {
    this.#entries.get(uid)?.retry?.cancel();
    this.#entries.delete(uid);
    this.#queue.delete(uid);
  }

  stop(): void {
    this.#stopped = true;
    for (const { retry } of this.#entries.values()) retry?.cancel();
    this.#queue.clear();
  }

  #enqueue(uid: string, entry: Entry): void {
    entry.dirty = true;
    if (entry.sending || entry.retry !== undefined || this.#stopped) return;
    this.#queue.add(uid);
    this.#pump();
  }

  #pump(): void {
    while (this.#running < MAX_PARALLEL) {
      const [uid] = this.#queue;
      if (uid === undefined) return;
      this.#queue.delete(uid);
      const entry = this.#entries.get(uid);
      if (entry === undefined) continue;
      this.#running++;
      entry.sending = true;
      entry.dirty = false;
      this.#send(uid, entry)
        .then(
          () => {
            entry.failures = 0;
          },
          (e: unknown) => this.#failed(uid, entry, e),
        )
        .finally(() => {
          entry.sending = false;
          this.#running--;
          if (entry.dirty && this.#entries.get(uid) === entry) this.#enqueue(uid, entry);
          this.#pump();
        });
    }
  }

  #failed(uid: string, entry: Entry, e: unknown): void {
    // The pod is gone or is another one now; the informer will say so.
    if (isNotFound(e) || isConflict(e)) return;
    this.#logger.warn({ pod: describePod(entry.pod), err: e }, 'could not send the status');
    const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** entry.failures++);
    entry.retry = this.#clock.setTimer(delayMs, () => {
      entry.retry = undefined;
      if (this.#entries.get(uid) === entry) this.#enqueue(uid, entry);
    });
  }

  async #send(uid: string, entry: Entry): Promise<void> {
    if (entry.wanted === undefined) return;
    const pods = this.#client.resource(resources.pods, podNamespace(entry.pod));
    const from = entry.pod.status ?? {};
    const to = this.#tellable(from, entry);
    const patch = statusPatch(uid, from, to);
    const { finished } = entry;
    if (patch !== undefined) {
      const answer = await pods.patch(podName(entry.pod), 'application/strategic-merge-patch+json', patch, {
        subresource: 'status',
      });
      if (isNewer(answer, entry.pod)) entry.pod = answer;
    }
    const { pod } = entry;
    const gone =
      finished && pod.metadata.deletionTimestamp !== undefined && isTerminalPhase(pod.status?.phase);
    if (gone) await pods.delete(podName(pod), { gracePeriodSeconds: 0, preconditions: { uid } });
  }

  /** What may be told now: a pod does not look finished as long as a container of it may run. */
  #tellable(from: PodStatus, entry: Entry): PodStatus {
    const wanted = entry.wanted ?? from;
    const held =
      !entry.stopped && isTerminalPhase(wanted.phase) && !isTerminalPhase(from.phase)
        ? { ...wanted, phase: from.phase ?? 'Pending', reason: from.reason, message: from.message }
        : wanted;
    const { phase } = wanted;
    if (!isTerminalPhase(phase) || phase === undefined) return held;
    const now = this.#now();
    const conditions = (held.conditions ?? []).map((condition) => {
      if (
        condition.status !== 'True' ||
        (condition.type !== 'Ready' && condition.type !== 'ContainersReady')
      ) {
        return condition;
      }
      return stampCondition(
        endedCondition(condition.type, phase),
        held.conditions ?? [],
        now,
        condition.observedGeneration,
      );
    });
    return { ...held, conditions };
  }
}

function isNewer(answer: Pod, known: Pod): boolean {
  const a = BigInt(answer.metadata.resourceVersion ?? '0');
  return a >= BigInt(known.metadata.resourceVersion ?? '0');
}
