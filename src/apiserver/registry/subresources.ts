/** Subresources and resources that are not the stored object: scale, bindings, evictions, and what is computed. */
import { schemaOf } from '#api';
import {
  apiVersionOf,
  decodeObject,
  type KubeObject,
  type PatchOptions,
  type ResourceTarget,
  type Status,
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
} from '#machinery';
import type { AdmissionPlugin } from '../admission/admission.ts';
import { admitComputed } from '../admission/admit-computed.ts';
import { notServed } from '../endpoints/generic-error.ts';
import type { EndpointResult } from '../endpoints/endpoint-request.ts';
import type { CacheEntry } from '../watch-cache/cache-entry.ts';
import { inRequestNamespace, withMetadata } from './object-metadata.ts';
import type { PatchRequest } from './object-patch.ts';
import type { ObjectWriter } from './object-writer.ts';
import { bindPod } from './pod-binding.ts';
import { type EvictionDeps, evictPod } from './pod-eviction.ts';
import { SCALE_KIND, type Scale, scaleOf, withScale } from './scale.ts';
import {
  type BodyKind,
  decodeBody,
  type DecodeOptions,
  type RequestBody,
  type ServedResource,
} from './served-resource.ts';
import type { VirtualResource } from './virtual-resource.ts';
import type { WriteCall } from './write-call.ts';

export interface SubresourcesOptions extends EvictionDeps {
  readonly writer: ObjectWriter;
  readonly admission: () => readonly AdmissionPlugin[];
  readonly virtual: () => readonly VirtualResource[];
}

export interface ComputedResource {
  create(
    served: ServedResource,
    target: ResourceTarget,
    body: RequestBody,
    options: PatchOptions,
    call: WriteCall,
  ): Promise<EndpointResult>;
}

const success = (code: number): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  code,
});

export class Subresources {
  readonly #options: SubresourcesOptions;

  constructor(options: SubresourcesOptions) {
    this.#options = options;
  }

  read(served: ServedResource, subresource: string, entry: CacheEntry): EndpointResult {
    if (subresource !== 'scale') throw notServed();
    return this.#scaleResult(served, entry);
  }

  async updateScale(
    served: ServedResource,
    target: ResourceTarget,
    body: RequestBody,
    decode: DecodeOptions,
    call: WriteCall,
  ): Promise<EndpointResult> {
    const scale = inRequestNamespace(decodeBody(SCALE_KIND, body, decode), target.namespace) as Scale;
    const { entry } = await this.#options.writer.update(
      served,
      target,
      (live) => withScale(live ?? missing(), scale, served.scalePaths),
      call,
    );
    return this.#scaleResult(served, entry);
  }

  async patchScale(
    served: ServedResource,
    target: ResourceTarget,
    request: PatchRequest,
    call: WriteCall,
  ): Promise<EndpointResult> {
    const { entry } = await this.#options.writer.update(
      served,
      target,
      (live = missing()) => {
        const patched = patchedScale(scaleOf(live, served.scalePaths), request);
        const { object } = decodeObject(SCALE_KIND.schema, patched, { fieldValidation: 'Ignore' });
        return withScale(live, object as Scale, served.scalePaths);
      },
      call,
    );
    return this.#scaleResult(served, entry);
  }

  /** Undefined: created like any object. */
  computed(served: ServedResource, subresource: string | undefined): ComputedResource | undefined {
    const { group, resource } = served.info;
    const virtual = this.#options
      .virtual()
      .find((v) => v.group === group && v.resource === resource && v.subresource === subresource);
    if (virtual !== undefined) return this.#virtual(virtual);
    if (group !== '') return undefined;
    if (subresource === 'binding' || resource === 'bindings') return this.#binding;
    return resource === 'pods' && subresource === 'eviction' ? this.#eviction : undefined;
  }

  readonly #binding: ComputedResource = {
    create: async (served, target, body, options, call) => {
      const decoded = decodeIn(served, { ...target, subresource: target.subresource }, body, options, call);
      const object = await this.#admit(target, decoded, call);
      const { store, clock, pods } = this.#options;
      const name = target.name ?? object.metadata.name;
      if (!call.dryRun) await bindPod({ store, clock, pods: pods.stored }, { ...target, name }, object);
      return { type: 'value', code: 201, object: success(201) };
    },
  };

  readonly #eviction: ComputedResource = {
    create: async (served, target, body, options, call) => {
      const object = await this.#admit(target, decodeIn(served, target, body, options, call), call);
      await evictPod(this.#options, target, object, call);
      return { type: 'value', code: 201, object: success(201) };
    },
  };

  #admit(target: ResourceTarget, body: KubeObject, call: WriteCall): Promise<KubeObject> {
    return admitComputed(this.#options.admission(), target, body, call);
  }

  #virtual(virtual: VirtualResource): ComputedResource {
    return {
      create: async (served, target, body, options, call) => {
        const admitted = await this.#admit(target, decodeIn(served, target, body, options, call), call);
        const { user, dryRun, signal } = call;
        const object = await virtual.create({ target, body: admitted, user, dryRun, signal });
        return { type: 'value', code: 201, object, kind: bodyKind(served, target.subresource) };
      },
    };
  }

  #scaleResult(served: ServedResource, entry: CacheEntry): EndpointResult {
    return {
      type: 'value',
      code: 200,
      object: scaleOf(entry.in(served), served.scalePaths),
      kind: SCALE_KIND,
    };
  }
}

function missing(): never {
  throw notServed();
}

function patchedScale(scale: Scale, request: PatchRequest): unknown {
  switch (request.type) {
    case 'application/json-patch+json':
      return applyJsonPatch(scale, request.patch);
    case 'application/strategic-merge-patch+json':
      return applyStrategicMergePatch(SCALE_KIND.schema, scale, request.patch);
    case 'application/merge-patch+json':
      return applyMergePatch(scale, request.patch);
    case 'application/apply-patch+yaml':
      // A Scale has one field to own; applying it sets that field at whatever revision.
      return withMetadata(applyMergePatch(scale, request.patch) as KubeObject, {
        resourceVersion: undefined,
      });
    default:
      return request.type satisfies never;
  }
}

/** What the body of a create on this (sub)resource is. */
export function bodyKind(served: ServedResource, subresource: string | undefined): BodyKind {
  if (subresource === undefined) return served;
  const gvk = served.info.subresources.find(({ name }) => name === subresource)?.gvk;
  const schema = gvk && schemaOf(gvk);
  if (gvk === undefined || schema === undefined) return missing();
  return { apiVersion: apiVersionOf(gvk), kind: gvk.kind, schema };
}

function decodeIn(
  served: ServedResource,
  target: ResourceTarget,
  body: RequestBody,
  options: PatchOptions,
  call: WriteCall,
): KubeObject {
  const kind = bodyKind(served, target.subresource);
  const decode = { fieldValidation: options.fieldValidation ?? 'Warn', warn: call.warn } as const;
  const decoded = kind === served ? served.decode(body, decode) : decodeBody(kind, body, decode);
  return inRequestNamespace(decoded, served.info.namespaced ? target.namespace : undefined);
}
