import type { coreV1, Draft } from '#api';
import { type Client, type EventRecorder, type EventSubject, resources } from '#client';
import { isNamespaceTerminating, isNotFound, type OwnerReference } from '#machinery';

/** Longest prefix of a generated name that leaves room for its suffix. */
const MAX_GENERATED_PREFIX = 57;

/** `name-`, unless no valid name could begin with that. */
function generateName(name: string): string {
  const prefix = `${name}-`;
  return prefix.length > MAX_GENERATED_PREFIX ? name.slice(0, MAX_GENERATED_PREFIX) : prefix;
}

/** The pod a template describes, owned by `owner`. */
export function podFromTemplate(
  template: coreV1.PodTemplateSpec,
  owner: EventSubject,
  reference: OwnerReference,
): Draft<coreV1.Pod> {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    metadata: {
      generateName: generateName(owner.metadata.name),
      namespace: owner.metadata.namespace,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [reference],
    },
    // Templates are validated; one without a spec is refused by the API server.
    spec: template.spec ?? { containers: [] },
  };
}

/** Creates and deletes pods for an owner and says so in its events. */
export class PodControl {
  readonly #client: Client;
  readonly #events: EventRecorder;

  constructor(client: Client, events: EventRecorder) {
    this.#client = client;
    this.#events = events;
  }

  async create(owner: EventSubject, pod: Draft<coreV1.Pod>): Promise<coreV1.Pod> {
    try {
      const created = await this.#client.resource(resources.pods).create(pod);
      this.#events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
      return created;
    } catch (error) {
      // Nothing can be created in a namespace that is going away, so there is nothing to tell either.
      if (!isNamespaceTerminating(error)) {
        this.#events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
      }
      throw error;
    }
  }

  /** False when it was gone already. */
  async delete(owner: EventSubject, pod: coreV1.Pod): Promise<boolean> {
    const { namespace = '', name, uid } = pod.metadata;
    try {
      await this.#client.resource(resources.pods, namespace).delete(name, { preconditions: { uid } });
    } catch (error) {
      if (isNotFound(error)) return false;
      this.#events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
      throw new Error(`unable to delete pods: ${messageOf(error)}`, { cause: error });
    }
    this.#events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    return true;
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
