/**
 * The verbs on objects, free of HTTP. Every request, from the network or from inside the process, is authorized here
 * and nowhere later. Failures are thrown as StatusError.
 */
import {
  badRequest,
  type DeleteOptions,
  internalError,
  isStatusError,
  type KubeObject,
  type ListOptions,
  notFound,
  type PatchOptions,
  type ResourceTarget,
  StatusError,
  type WatchRequest,
} from '#machinery';
import type { Clock, Random } from '#platform';
import { forbiddenError } from '../authorization/forbidden.ts';
import type { AuthorizationAttributes, Authorizer } from '../authorization/authorizer.ts';
import { deletedStatus, type ObjectDeleter } from '../registry/object-deleter.ts';
import { checkName, inRequestNamespace, withoutDuplicateOwners } from '../registry/object-metadata.ts';
import { patchTransform, unsupportedPatch } from '../registry/object-patch.ts';
import type { ObjectWriter } from '../registry/object-writer.ts';
import type { ResourceTable } from '../registry/resource-table.ts';
import { parsePatch, type RequestBody, type ServedResource } from '../registry/served-resource.ts';
import type { Subresources } from '../registry/subresources.ts';
import type { Transform, WriteCall } from '../registry/write-call.ts';
import { listPage, parseResourceVersion, waitForRevision } from '../watch-cache/list-page.ts';
import { type OpenedWatch, openWatch } from '../watch-cache/open-watch.ts';
import type { Caller, EndpointRequest, EndpointResult } from './endpoint-request.ts';
import { notAllowed, notServed } from './generic-error.ts';
import { validateListOptions, validateWatchOptions, validateWriteOptions } from './list-options.ts';
import { selectedName, selectionOf } from './request-selection.ts';

/** Subresources that are the object itself, of which a write touches a part. */
const OBJECT_PARTS = new Set(['status', 'approval', 'finalize', 'ephemeralcontainers', 'resize']);
/** Objects deleted at a time by deletecollection. */
const DELETE_COLLECTION_WORKERS = 16;

export interface EndpointsOptions {
  readonly table: ResourceTable;
  readonly writer: ObjectWriter;
  readonly deleter: ObjectDeleter;
  readonly subresources: Subresources;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
  readonly random: Random;
}

export class Endpoints {
  readonly #options: EndpointsOptions;

  constructor(options: EndpointsOptions) {
    this.#options = options;
  }

  get table(): ResourceTable {
    return this.#options.table;
  }

  authorize(attributes: AuthorizationAttributes): void {
    const decision = this.#options.authorizer.authorize(attributes);
    if (decision.verdict !== 'allow') throw forbiddenError(attributes, decision.reason);
  }

  /** @throws StatusError 404 for what is not served. */
  resolve(target: ResourceTarget): ServedResource {
    const served = this.#options.table.find(target.group, target.version, target.resource);
    const { subresource } = target;
    if (served === undefined || (subresource !== undefined && !served.hasSubresource(subresource))) {
      throw notServed();
    }
    return served;
  }

  async execute(request: EndpointRequest, caller: Caller): Promise<EndpointResult> {
    this.authorize(attributesOf(request, caller));
    const served = this.resolve(request);
    const { verb } = request;
    switch (verb) {
      case 'get':
        return this.#get(served, request);
      case 'list':
        return this.#list(served, request, request.options ?? {});
      case 'create':
        return this.#create(served, request, request.body, request.options ?? {}, caller);
      case 'update':
        return this.#update(served, request, request.body, request.options ?? {}, caller);
      case 'patch':
        return this.#patch(served, request, caller);
      case 'delete':
        return this.#delete(served, request, request.options ?? {}, caller);
      case 'deletecollection':
        return this.#deleteCollection(served, request, request.options ?? {}, request.list ?? {}, caller);
      default:
        return verb satisfies never;
    }
  }

  /** `onOpen` runs in the turn in which the watcher must join. */
  async watch(
    request: WatchRequest,
    caller: Caller,
    onOpen: (opened: OpenedWatch) => void,
  ): Promise<ServedResource> {
    this.authorize(attributesOf(request, caller));
    const served = this.resolve(request);
    requireVerb(served, request, 'watch');
    const options = request.options ?? {};
    validateWatchOptions(options);
    const selection = selectionOf(served, request.namespace, withName(options, request.name));
    await openWatch(served.stored.cache, selection, options, onOpen);
    return served;
  }

  #get(
    served: ServedResource,
    request: EndpointRequest & { verb: 'get' },
  ): EndpointResult | Promise<EndpointResult> {
    requireVerb(served, request, 'get');
    const { cache } = served.stored;
    const version = request.options?.resourceVersion ?? '';
    const waiting = version === '' ? cache.fresh() : this.#atLeast(served, version);
    return waiting === undefined
      ? this.#read(served, request)
      : waiting.then(() => this.#read(served, request));
  }

  async #atLeast(served: ServedResource, version: string): Promise<void> {
    const { cache } = served.stored;
    await cache.load();
    const revision = parseResourceVersion(version);
    if (revision > 0) await waitForRevision(cache, revision);
  }

  #read(served: ServedResource, target: ResourceTarget): EndpointResult {
    const { stored } = served;
    const name = target.name ?? '';
    const entry = stored.cache.get(stored.keyOf(target.namespace, name));
    if (entry === undefined) throw notFound(served.groupResource, name);
    const { subresource } = target;
    if (subresource === undefined || OBJECT_PARTS.has(subresource))
      return { type: 'entry', code: 200, entry, served };
    return this.#options.subresources.read(served, subresource, entry);
  }

  async #list(served: ServedResource, target: ResourceTarget, options: ListOptions): Promise<EndpointResult> {
    requireVerb(served, target, 'list');
    validateListOptions(options);
    const selection = selectionOf(served, target.namespace, withName(options, target.name));
    const page = await listPage(served.stored.cache, selection, options);
    return { type: 'list', code: 200, page, served };
  }

  async #create(
    served: ServedResource,
    target: ResourceTarget,
    body: RequestBody,
    options: PatchOptions,
    caller: Caller,
  ): Promise<EndpointResult> {
    validateWriteOptions('CreateOptions', options);
    const call = writeCall(caller, options);
    const computed = this.#options.subresources.computed(served, target.subresource);
    if (computed !== undefined) return computed.create(served, target, body, options, call);
    requireVerb(served, target, 'create');
    const isOutsideNamespace = served.info.namespaced && target.namespace === undefined;
    if (isOutsideNamespace || (target.name !== undefined && target.subresource === undefined))
      throw notAllowed();
    const object = served.decode(body, {
      fieldValidation: options.fieldValidation ?? 'Warn',
      warn: call.warn,
    });
    const entry = await this.#options.writer.create(served, target, object, call);
    return { type: 'entry', code: 201, entry, served };
  }

  async #update(
    served: ServedResource,
    target: ResourceTarget,
    body: RequestBody,
    options: PatchOptions,
    caller: Caller,
  ): Promise<EndpointResult> {
    requireVerb(served, target, 'update');
    if (target.name === undefined) throw notAllowed();
    validateWriteOptions('UpdateOptions', options);
    const call = writeCall(caller, options);
    const decode = { fieldValidation: options.fieldValidation ?? 'Warn', warn: call.warn } as const;
    if (target.subresource === 'scale') {
      return this.#options.subresources.updateScale(served, target, body, decode, call);
    }
    const decoded = served.decode(body, decode);
    const placed = inRequestNamespace(decoded, served.info.namespaced ? target.namespace : undefined);
    const object = withoutDuplicateOwners(checkName(placed, target.name ?? ''), call.warn, false);
    const transform: Transform = (live) => {
      if (live !== undefined) checkUid(served, object, live);
      return object;
    };
    const mayCreate = served.stored.policy.createsOnUpdate && target.subresource === undefined;
    const { entry, created } = await this.#options.writer.update(served, target, transform, call, {
      mayCreate,
    });
    return { type: 'entry', code: created ? 201 : 200, entry, served };
  }

  async #patch(
    served: ServedResource,
    request: EndpointRequest & { verb: 'patch' },
    caller: Caller,
  ): Promise<EndpointResult> {
    requireVerb(served, request, 'patch');
    if (request.name === undefined) throw notAllowed();
    const options = request.options ?? {};
    const isApply = request.patchType === 'application/apply-patch+yaml';
    if (served.stored.isCustom && request.patchType === 'application/strategic-merge-patch+json') {
      throw unsupportedPatch(served);
    }
    validateWriteOptions('PatchOptions', options, isApply);
    const call = writeCall(caller, options);
    const { value, duplicates } = parsePatch(
      request.body,
      request.patchType,
      options.fieldValidation ?? 'Warn',
      call.warn,
    );
    const { subresource } = request;
    const patch = {
      type: request.patchType,
      patch: value,
      duplicates,
      name: request.name ?? '',
      manager: call.manager,
      subresource,
      options,
      now: this.#options.writer.now,
      warn: call.warn,
    };
    if (subresource === 'scale') return this.#options.subresources.patchScale(served, request, patch, call);
    const { entry, created } = await this.#options.writer.update(
      served,
      request,
      patchTransform(served, patch),
      call,
      { mayCreate: isApply && subresource === undefined, isTracked: isApply },
    );
    return { type: 'entry', code: created ? 201 : 200, entry, served };
  }

  async #delete(
    served: ServedResource,
    target: ResourceTarget,
    options: DeleteOptions,
    caller: Caller,
  ): Promise<EndpointResult> {
    requireVerb(served, target, 'delete');
    const call = writeCall(caller, options);
    const { entry, deleted } = await this.#options.deleter.delete(served, target, options, call);
    const code = !deleted && options.orphanDependents === false ? 202 : 200;
    if (deleted && !served.stored.policy.returnsDeleted) {
      return { type: 'value', code, object: deletedStatus(served, entry.object) };
    }
    return { type: 'entry', code, entry, served };
  }

  async #deleteCollection(
    served: ServedResource,
    target: ResourceTarget,
    options: DeleteOptions,
    list: ListOptions,
    caller: Caller,
  ): Promise<EndpointResult> {
    requireVerb(served, target, 'deletecollection');
    validateListOptions(list);
    const call = writeCall(caller, options);
    const page = await listPage(served.stored.cache, selectionOf(served, target.namespace, list), list);
    const left = [...page.entries];
    const work = async (): Promise<void> => {
      for (let entry = left.shift(); entry !== undefined; entry = left.shift()) {
        const { name, namespace } = entry.object.metadata;
        try {
          await this.#options.deleter.delete(served, { ...target, name, namespace }, options, call);
        } catch (error) {
          if (!isStatusError(error) || error.reason !== 'NotFound') throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(DELETE_COLLECTION_WORKERS, left.length) }, work));
    return { type: 'list', code: 200, page, served };
  }
}

/** What authorization is asked about a request. */
export function attributesOf(
  request: ResourceTarget & { readonly verb: string; readonly options?: object; readonly list?: ListOptions },
  caller: Pick<Caller, 'user'>,
): AuthorizationAttributes {
  const { verb, group, version, resource, subresource, namespace } = request;
  const { labelSelector, fieldSelector }: ListOptions = request.list ?? request.options ?? {};
  const name = request.name ?? selectedName(fieldSelector);
  // A namespace lies in itself.
  const isNamespace = resource === 'namespaces' && group === '' && name !== undefined;
  return {
    user: caller.user,
    verb,
    group,
    version,
    resource,
    subresource,
    namespace: isNamespace ? name : namespace,
    name,
    labelSelector,
    fieldSelector,
  };
}

function requireVerb(served: ServedResource, target: ResourceTarget, verb: string): void {
  const { subresource } = target;
  const verbs =
    subresource === undefined
      ? served.info.verbs
      : (served.info.subresources.find(({ name }) => name === subresource)?.verbs ?? []);
  if (!verbs.includes(verb)) throw notAllowed();
}

function writeCall(
  caller: Caller,
  options: { readonly dryRun?: boolean; readonly fieldManager?: string },
): WriteCall {
  const { user, warn, signal } = caller;
  const asked = options.fieldManager ?? '';
  return {
    user,
    warn,
    signal,
    dryRun: options.dryRun === true,
    manager: asked === '' ? caller.defaultManager : asked,
  };
}

/** A list or watch of one object by its URL is a selection by name. */
function withName<T extends ListOptions>(options: T, name: string | undefined): T {
  if (name === undefined) return options;
  const own = `metadata.name=${name}`;
  const { fieldSelector = '' } = options;
  return { ...options, fieldSelector: fieldSelector === '' ? own : `${fieldSelector},${own}` };
}

function checkUid(served: ServedResource, object: KubeObject, live: KubeObject): void {
  const { uid } = object.metadata;
  if (uid === undefined || uid === '' || uid === live.metadata.uid) return;
  const { resource } = served.groupResource;
  const name = live.metadata.name ?? '';
  throw new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${resource} "${name}": StorageError: invalid object, Code: 4, Key: ` +
      `/registry/${served.stored.resource}/${served.stored.keyOfObject(live)}, ResourceVersion: 0, AdditionalErrorMsg: ` +
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid ?? ''}`,
    { name, ...(served.info.group === '' ? {} : { group: served.info.group }), kind: resource },
  );
}

/** Anything that is not a StatusError is the server's own fault. */
export function asStatusError(error: unknown): StatusError {
  if (isStatusError(error)) return error;
  // Only a body can be nested so deeply that reading it takes the whole stack.
  if (error instanceof RangeError && error.message.includes('call stack')) {
    return badRequest('the object is nested too deeply');
  }
  return internalError(error);
}
