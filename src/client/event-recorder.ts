import type { coreV1, Draft } from '#api';
import { isNamespaceTerminating, isNotFound, isStatusError } from '#machinery';
import { type Clock, formatTime, type Logger, type Random } from '#platform';
import type { Client } from './client.ts';
import { type CorrelatedEvent, EventCorrelator } from './event-correlator.ts';
import { resources } from './resources.ts';

/** What an event is about, as `involvedObject` holds it. */
export interface EventTarget {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** A part of the object: `spec.containers{web}`. */
  readonly fieldPath?: string;
}

export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
}

export type EventType = 'Normal' | 'Warning';

/** Tells people what happened to an object. Best effort: never throws, never waits, may drop. */
export interface EventRecorder {
  event(about: EventSubject, type: EventType, reason: string, message: string, action?: string): void;
  record(about: EventTarget, type: EventType, reason: string, message: string, action?: string): void;
  /** Resolves when everything recorded so far is written or dropped. */
  flush(): Promise<void>;
  /** Drops what waits. */
  stop(): void;
}

export interface EventRecorderOptions {
  readonly client: Client;
  /** `source.component`, e.g. `deployment-controller`. */
  readonly component: string;
  /** `source.host`: the node, for what runs on one. */
  readonly host?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Events waiting to be written; further ones are dropped. */
const MAX_WAITING = 1000;
/** Longest `message` the API takes. */
const MAX_MESSAGE_LENGTH = 1024;
const MAX_ATTEMPTS = 12;
const RETRY_MS = 10_000;
const NANOS_PER_MS = 1_000_000;

interface Waiting {
  readonly about: EventTarget;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  readonly action: string | undefined;
  readonly at: string;
}

/** Writes core/v1 events, which is what kubectl shows. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new QueuedRecorder(options);
}

class QueuedRecorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #correlator: EventCorrelator;
  readonly #stopped = new AbortController();
  #waiting: Waiting[] = [];
  #draining: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#correlator = new EventCorrelator(options.clock);
  }

  event(about: EventSubject, type: EventType, reason: string, message: string, action?: string): void {
    const { apiVersion, kind, metadata } = about;
    const { name, namespace, uid, resourceVersion } = metadata;
    this.record({ apiVersion, kind, name, namespace, uid, resourceVersion }, type, reason, message, action);
  }

  record(about: EventTarget, type: EventType, reason: string, message: string, action?: string): void {
    if (this.#stopped.signal.aborted) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.#options.logger.warn({ reason, object: about.name }, 'event dropped: too many wait');
      return;
    }
    this.#waiting.push({ about, type, reason, message, action, at: formatTime(this.#options.clock.now()) });
    this.#draining ??= this.#drain();
  }

  async flush(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
  }

  stop(): void {
    this.#stopped.abort(new Error('event recorder stopped'));
    this.#waiting = [];
  }

  async #drain(): Promise<void> {
    // Whoever recorded the event goes on first.
    await Promise.resolve();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
      await this.#write(next);
    this.#draining = undefined;
  }

  async #write(event: Waiting): Promise<void> {
    const { component, host = '', clock, random, logger } = this.#options;
    const { about, type, reason, message } = event;
    const object = [about.kind, about.namespace, about.name, about.uid, about.apiVersion, about.fieldPath];
    const correlated = this.#correlator.correlate({
      about: [component, host, ...object].join('\n'),
      type,
      reason,
      message,
    });
    if (correlated === undefined) return;
    for (let attempt = 1; !this.#stopped.signal.aborted; attempt++) {
      try {
        await this.#send(event, correlated);
        return;
      } catch (error) {
        if (isStatusError(error) && error.code < 500) {
          if (!isNamespaceTerminating(error))
            logger.warn({ err: error, reason, object: about.name }, 'event rejected');
          return;
        }
        if (attempt >= MAX_ATTEMPTS) {
          logger.warn({ err: error, reason, object: about.name }, 'event not written');
          return;
        }
        const delayMs = attempt === 1 ? RETRY_MS * random.next() : RETRY_MS;
        await clock.sleep(delayMs, { signal: this.#stopped.signal }).then(undefined, () => undefined);
      }
    }
  }

  async #send(event: Waiting, { key, message, existing }: CorrelatedEvent): Promise<void> {
    const { signal } = this.#stopped;
    if (existing !== undefined) {
      const count = existing.count + 1;
      const patch = { count, lastTimestamp: event.at, message: clip(message) };
      try {
        const events = this.#options.client.resource(resources.events, existing.namespace);
        await events.patch(existing.name, 'application/strategic-merge-patch+json', patch, { signal });
        this.#correlator.recorded(key, { ...existing, count });
        return;
      } catch (error) {
        if (!isNotFound(error)) throw error;
        // It lived out its hour: told anew.
        this.#correlator.forget(key);
      }
    }
    const namespace =
      event.about.namespace === undefined || event.about.namespace === '' ? 'default' : event.about.namespace;
    const created = await this.#options.client
      .resource(resources.events, namespace)
      .create(this.#draft(event, namespace, message), { signal });
    this.#correlator.recorded(key, { name: created.metadata.name, namespace, count: 1 });
  }

  #draft(event: Waiting, namespace: string, message: string): EventDraft {
    const { component, host, clock, random } = this.#options;
    const { about, type, reason, action, at } = event;
    const instant =
      BigInt(Math.floor(clock.now())) * BigInt(NANOS_PER_MS) +
      BigInt(Math.floor(random.next() * NANOS_PER_MS));
    return {
      metadata: { name: `${about.name}.${instant.toString(16)}`, namespace },
      involvedObject: { ...about },
      reason,
      message: clip(message),
      source: { component, ...(host === undefined ? {} : { host }) },
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
      type,
      reportingComponent: component,
      reportingInstance: host ?? '',
      ...(action === undefined ? {} : { action }),
    };
  }
}

type EventDraft = Draft<coreV1.Event>;

const clip = (message: string): string =>
  message.length <= MAX_MESSAGE_LENGTH ? message : `${message.slice(0, MAX_MESSAGE_LENGTH - 3)}...`;
