import type {
  ApiEndpoint,
  KubeList,
  KubeObject,
  ResourceRequest,
  ResourceTarget,
  Status,
  WatchEvent,
} from '#machinery';
import { apiVersionOf, StatusError } from '#machinery';
import type { CallOptions, Client, ResourceClient, ResourceRef } from './client.ts';

/** A typed client over any endpoint: the API server in process or another one over HTTPS. */
export function createClient(endpoint: ApiEndpoint): Client {
  return {
    resource: <T>(ref: ResourceRef<T>, namespace?: string) =>
      new EndpointResourceClient(endpoint, ref, namespace),
  };
}

/** Splits the call's own `signal` from what is sent. */
function split<O extends CallOptions>(
  options: O | undefined,
): {
  readonly options?: Omit<O, 'signal'>;
  readonly call: CallOptions;
} {
  if (options === undefined) return { call: {} };
  const { signal, ...rest } = options;
  return { options: rest, call: signal === undefined ? {} : { signal } };
}

class EndpointResourceClient<T> implements ResourceClient<T> {
  readonly #endpoint: ApiEndpoint;
  readonly #ref: ResourceRef<T>;
  readonly #target: ResourceTarget;

  constructor(endpoint: ApiEndpoint, ref: ResourceRef<T>, namespace: string | undefined) {
    this.#endpoint = endpoint;
    this.#ref = ref;
    this.#target = {
      group: ref.group,
      version: ref.version,
      resource: ref.resource,
      ...(ref.namespaced && namespace !== undefined && namespace !== '' ? { namespace } : {}),
    };
  }

  get(name: string, getOptions?: Parameters<ResourceClient<T>['get']>[1]): Promise<T> {
    const { options, call } = split(getOptions);
    return this.#object({ ...this.#target, name, verb: 'get', options }, call);
  }

  list(listOptions?: Parameters<ResourceClient<T>['list']>[0]): Promise<KubeList<T>> {
    const { options, call } = split(listOptions);
    return this.#object<KubeList<T>>({ ...this.#target, verb: 'list', options }, call);
  }

  async watch(
    watchOptions?: Parameters<ResourceClient<T>['watch']>[0],
  ): Promise<AsyncIterable<WatchEvent<T>>> {
    const { options, call } = split(watchOptions);
    const events = await this.#endpoint.watch({ ...this.#target, verb: 'watch', options }, call);
    // Sound: the endpoint serves objects of the kind that the reference names, and the types are that kind's schema.
    return events as AsyncIterable<WatchEvent<T>>;
  }

  create(
    object: Parameters<ResourceClient<T>['create']>[0],
    writeOptions?: Parameters<ResourceClient<T>['create']>[1],
  ): Promise<T> {
    const { options, call } = split(writeOptions);
    return this.#object(
      { ...this.#in(object.metadata), verb: 'create', body: this.#typed(object), options },
      call,
    );
  }

  update(object: T, writeOptions?: Parameters<ResourceClient<T>['update']>[1]): Promise<T> {
    return this.#put(object, undefined, writeOptions);
  }

  updateStatus(object: T, writeOptions?: Parameters<ResourceClient<T>['updateStatus']>[1]): Promise<T> {
    return this.#put(object, 'status', writeOptions);
  }

  patch(
    name: string,
    patchType: Parameters<ResourceClient<T>['patch']>[1],
    patch: unknown,
    patchOptions?: Parameters<ResourceClient<T>['patch']>[3],
  ): Promise<T> {
    const { subresource, ...rest } = patchOptions ?? {};
    const { options, call } = split(rest);
    return this.#object(
      { ...this.#target, ...sub(subresource), name, verb: 'patch', patchType, body: patch, options },
      call,
    );
  }

  apply(name: string, object: unknown, applyOptions: Parameters<ResourceClient<T>['apply']>[2]): Promise<T> {
    return this.patch(name, 'application/apply-patch+yaml', this.#typed(object as object), applyOptions);
  }

  async delete(name: string, deleteOptions?: Parameters<ResourceClient<T>['delete']>[1]): Promise<void> {
    const { options, call } = split(deleteOptions);
    await this.#object({ ...this.#target, name, verb: 'delete', options }, call);
  }

  async deleteCollection(both?: Parameters<ResourceClient<T>['deleteCollection']>[0]): Promise<void> {
    const { options = {}, call } = split(both);
    const { dryRun, gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions, ...list } =
      options;
    const deletion = { dryRun, gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions };
    await this.#object({ ...this.#target, verb: 'deletecollection', options: deletion, list }, call);
  }

  createSubresource<R = KubeObject>(
    name: string,
    subresource: string,
    body: unknown,
    call: CallOptions = {},
  ): Promise<R> {
    return this.#object<R>({ ...this.#target, name, subresource, verb: 'create', body }, call);
  }

  getSubresource<R = KubeObject>(name: string, subresource: string, call: CallOptions = {}): Promise<R> {
    return this.#object<R>({ ...this.#target, name, subresource, verb: 'get' }, call);
  }

  updateSubresource<R = KubeObject>(
    name: string,
    subresource: string,
    body: unknown,
    writeOptions?: Parameters<ResourceClient<T>['updateSubresource']>[3],
  ): Promise<R> {
    const { options, call } = split(writeOptions);
    return this.#object<R>({ ...this.#target, name, subresource, verb: 'update', body, options }, call);
  }

  #put(
    object: T,
    subresource: string | undefined,
    writeOptions: Parameters<ResourceClient<T>['update']>[1],
  ): Promise<T> {
    const { options, call } = split(writeOptions);
    const body = object as KubeObject;
    const target = { ...this.#in(body.metadata), ...sub(subresource), name: body.metadata.name ?? '' };
    return this.#object({ ...target, verb: 'update', body: this.#typed(body), options }, call);
  }

  /** A client across namespaces writes into the object's own. */
  #in(metadata: { readonly namespace?: string }): ResourceTarget {
    if (!this.#ref.namespaced || this.#target.namespace !== undefined || metadata.namespace === undefined)
      return this.#target;
    return { ...this.#target, namespace: metadata.namespace };
  }

  #typed(object: object): object {
    return { apiVersion: apiVersionOf(this.#ref), kind: this.#ref.kind, ...object };
  }

  async #object<R = T>(request: ResourceRequest, call: CallOptions): Promise<R> {
    const { code, object } = await this.#endpoint.request(request, call);
    if (isFailure(object)) throw StatusError.fromStatus(object, code);
    // Sound for the same reason as in `watch`.
    return object as R;
  }
}

function isFailure(object: KubeObject | KubeList | Status): object is Status {
  return object.kind === 'Status' && 'status' in object && object.status === 'Failure';
}

const sub = (subresource: string | undefined): { readonly subresource?: string } =>
  subresource === undefined ? {} : { subresource };
