/**
 * The documents as they are served, built when first asked for. The document of a group version is kept until one of
 * its own resources changes, so a new CustomResourceDefinition costs the document of its group and nothing else.
 *
 * The hash under which a document is offered is taken from what it is made of, not from its bytes: the index can be
 * answered without building anything.
 */
import { createHash } from 'node:crypto';
import type { ResourceInfo } from '#api';
import { definitionOf } from '#machinery';
import { openApiV2Document, type V2Document } from './openapi-v2.ts';
import { openApiV2Protobuf } from './openapi-v2-protobuf.ts';
import { documentPath, type GroupVersion, openApiV3Document, resourcesOf } from './openapi-v3.ts';

export interface ServedDocument {
  readonly bytes: Buffer;
  /** Without the quotes of the header. */
  readonly etag: string;
}

export interface OpenApiDocumentsOptions {
  /** Of this server; a new one makes new documents. */
  readonly serverVersion: string;
  /** What is served now. Asked on every request; must be cheap. */
  readonly resources: () => readonly ResourceInfo[];
}

export class OpenApiDocuments {
  readonly #serverVersion: string;
  readonly #resources: () => readonly ResourceInfo[];
  /** Of `V3Index`: one entry for each served group version. */
  readonly #v3 = new Map<string, ServedDocument>();
  #v2: { readonly etag: string; readonly document: V2Document; json?: Buffer; protobuf?: Buffer } | undefined;

  constructor(options: OpenApiDocumentsOptions) {
    this.#serverVersion = options.serverVersion;
    this.#resources = options.resources;
  }

  /** `GET /openapi/v3`. */
  v3Index(): object {
    return openApiV3Index(this.#resources(), this.#serverVersion);
  }

  /**
   * `GET /openapi/v3/<path>`, for a path of the index such as `apis/apps/v1`.
   * @returns undefined when no such group version is served.
   */
  v3(path: string): ServedDocument | undefined {
    const all = this.#resources();
    const first = all.find((info) => documentPath(info) === path);
    if (first === undefined) {
      this.#v3.delete(path);
      return undefined;
    }
    const etag = fingerprint(resourcesOf(first, all), this.#serverVersion);
    let served = this.#v3.get(path);
    if (served?.etag !== etag) {
      const document = openApiV3Document(first, all, this.#serverVersion);
      served = { bytes: Buffer.from(JSON.stringify(document)), etag };
      this.#v3.set(path, served);
    }
    return served;
  }

  /** `GET /openapi/v2`, as JSON or as protobuf. */
  v2(form: 'json' | 'protobuf'): ServedDocument {
    const all = this.#resources();
    const etag = fingerprint(all, this.#serverVersion);
    if (this.#v2?.etag !== etag) this.#v2 = { etag, document: openApiV2Document(all, this.#serverVersion) };
    const current = this.#v2;
    if (form === 'json') {
      current.json ??= Buffer.from(JSON.stringify(current.document));
      return { bytes: current.json, etag };
    }
    current.protobuf ??= openApiV2Protobuf(current.document);
    return { bytes: current.protobuf, etag };
  }
}

/** Where the document of each group version is, with its hash. */
export function openApiV3Index(resources: readonly ResourceInfo[], serverVersion = '1.36'): object {
  const groups = new Map<string, GroupVersion>(resources.map((info) => [documentPath(info), info]));
  const paths = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, groupVersion]) => {
      const hash = fingerprint(resourcesOf(groupVersion, resources), serverVersion);
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
    });
  return { paths: Object.fromEntries(paths) };
}

const descriptions = new WeakMap<ResourceInfo, string>();

function describeResource(info: ResourceInfo): string {
  let text = descriptions.get(info);
  if (text === undefined) {
    const { group, version, resource, kind, listKind, namespaced, verbs, subresources } = info;
    const definition = info.schema.name === '' ? definitionOf(info.schema) : undefined;
    text = JSON.stringify([
      group,
      version,
      resource,
      kind,
      listKind,
      namespaced,
      verbs,
      subresources,
      definition,
    ]);
    descriptions.set(info, text);
  }
  return text;
}

function fingerprint(resources: readonly ResourceInfo[], serverVersion: string): string {
  const hash = createHash('sha512').update(serverVersion);
  for (const info of resources) hash.update(describeResource(info));
  return hash.digest('hex').toUpperCase();
}
