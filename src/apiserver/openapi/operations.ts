/** What can be asked of a resource, independent of the document it is written into. */
import { type ResourceInfo, schemaOf, type SubresourceInfo } from '#api';
import type { GroupVersionKind } from '#machinery';
import { customTypeName } from './custom-schemas.ts';
import {
  ACTION_PARAMETERS,
  type Action,
  NAMESPACE,
  nameOf,
  option,
  type Parameter,
  PRETTY,
} from './parameters.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

export type Method = 'get' | 'put' | 'post' | 'delete' | 'options' | 'head' | 'patch';

export interface Operation {
  readonly path: string;
  readonly method: Method;
  /** Absent on the list of resources of a group version. */
  readonly action?: Action;
  readonly operationId: string;
  readonly description: string;
  readonly tag: string;
  readonly gvk?: GroupVersionKind;
  readonly parameters: readonly Parameter[];
  /** Name of the schema of the body. */
  readonly body?: string;
  readonly bodyRequired?: boolean;
  /** Media types of the body; absent: any. */
  readonly bodyTypes?: readonly string[];
  /** Name of the schema of the answer; absent: plain text. */
  readonly answer?: string;
  readonly answerTypes: readonly string[];
  readonly codes: readonly number[];
}

const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';
const BUILTIN_ANSWERS = ['application/json', 'application/vnd.kubernetes.protobuf', 'application/yaml'];
const CUSTOM_ANSWERS = ['application/json', 'application/yaml'];

/** Resources whose deletion answers with the deleted object instead of a Status, as `resource.group`. */
const ANSWERS_DELETED: ReadonlySet<string> = new Set([
  'csidrivers.storage.k8s.io',
  'csinodes.storage.k8s.io',
  'deviceclasses.resource.k8s.io',
  'persistentvolumeclaims.',
  'persistentvolumes.',
  'pods.',
  'podtemplates.',
  'resourceclaims.resource.k8s.io',
  'resourceclaimtemplates.resource.k8s.io',
  'resourcequotas.',
  'resourceslices.resource.k8s.io',
  'serviceaccounts.',
  'services.',
  'storageclasses.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'volumeattributesclasses.storage.k8s.io',
]);

export const isCustom = (info: ResourceInfo): boolean => info.schema.name === '';

export const basePath = (group: string, version: string): string =>
  group === '' ? `/api/${version}` : `/apis/${group}/${version}`;

/** `rbac.authorization.k8s.io` → `RbacAuthorization`; the core group is `Core`. */
function groupWords(group: string): string {
  const words = group === '' ? ['core'] : group.replace(/\.k8s\.io$/, '').split('.');
  return words.map(capitalized).join('');
}

const capitalized = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
const uncapitalized = (word: string): string => word.charAt(0).toLowerCase() + word.slice(1);

/** `a Pod`, `an Event`; a plural (`Endpoints`) has no article. */
function withArticle(kind: string): string {
  if (kind.endsWith('s') && !kind.endsWith('ss')) return ` ${kind}`;
  return ` ${/^[aeiou]/i.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** The name of a kind's schema: upstream's of a built-in one, derived from the group of a custom one. */
export function kindSchemaName(info: ResourceInfo, kind: string): string {
  return isCustom(info)
    ? customTypeName(info.group, info.version, kind)
    : (schemaOf({ group: info.group, version: info.version, kind })?.name ?? info.schema.name);
}

export function groupVersionOperation(group: string, version: string): Operation {
  const words = groupWords(group);
  return {
    path: `${basePath(group, version)}/`,
    method: 'get',
    operationId: `get${words}${capitalized(version)}APIResources`,
    description: 'get available resources',
    tag: `${uncapitalized(words)}_${version}`,
    parameters: [],
    answer: `${META}.APIResourceList`,
    answerTypes: BUILTIN_ANSWERS,
    codes: [200],
  };
}

export function resourceOperations(info: ResourceInfo): readonly Operation[] {
  const context = new OperationContext(info);
  return [
    ...context.collectionOperations(),
    ...context.objectOperations(),
    ...info.subresources.flatMap((subresource) => context.subresourceOperations(subresource)),
  ];
}

class OperationContext {
  readonly #info: ResourceInfo;
  readonly #words: string;
  readonly #root: string;
  readonly #item: string;
  readonly #custom: boolean;

  constructor(info: ResourceInfo) {
    this.#info = info;
    this.#words = groupWords(info.group);
    this.#custom = isCustom(info);
    const base = basePath(info.group, info.version);
    this.#root = `${base}${info.namespaced ? '/namespaces/{namespace}' : ''}/${info.resource}`;
    this.#item = kindSchemaName(info, info.kind);
  }

  collectionOperations(): readonly Operation[] {
    const { kind, verbs, namespaced, listKind, resource, group, version } = this.#info;
    const operations: Operation[] = [];
    const list = {
      action: 'list',
      answer: kindSchemaName(this.#info, listKind),
      codes: [200],
    } as const;
    if (verbs.includes('list')) {
      const what = verbs.includes('watch') && !this.#custom ? 'list or watch' : 'list';
      const description = `${what} objects of kind ${kind}`;
      const answerTypes = this.#custom
        ? CUSTOM_ANSWERS
        : BUILTIN_ANSWERS.flatMap((type) =>
            type === 'application/yaml' ? [type] : [type, `${type};stream=watch`],
          );
      operations.push(this.#operation(this.#root, 'get', 'list', '', { ...list, description, answerTypes }));
      if (namespaced) {
        const everywhere = `${basePath(group, version)}/${resource}`;
        const operationId = `list${this.#words}${capitalized(version)}${kind}ForAllNamespaces`;
        operations.push({
          ...this.#operation(everywhere, 'get', 'list', '', { ...list, description, answerTypes }),
          operationId,
          parameters: [...ACTION_PARAMETERS.list, PRETTY],
        });
      }
    }
    if (verbs.includes('create')) {
      operations.push(
        this.#write(this.#root, 'post', 'create', `create${withArticle(kind)}`, [200, 201, 202]),
      );
    }
    if (verbs.includes('deletecollection')) {
      const operation = this.#deletion(this.#root, 'deletecollection', `delete collection of ${kind}`, [200]);
      const scope = `Collection${namespaced ? 'Namespaced' : ''}`;
      const operationId = `delete${this.#words}${capitalized(version)}${scope}${kind}`;
      operations.push({ ...operation, operationId });
    }
    return operations;
  }

  objectOperations(): readonly Operation[] {
    const { kind, verbs } = this.#info;
    const path = `${this.#root}/{name}`;
    const operations: Operation[] = [];
    if (verbs.includes('get')) operations.push(this.#read(path, `read the specified ${kind}`));
    if (verbs.includes('update')) {
      operations.push(this.#write(path, 'put', 'replace', `replace the specified ${kind}`, [200, 201]));
    }
    if (verbs.includes('patch')) operations.push(this.#patch(path, `partially update the specified ${kind}`));
    if (verbs.includes('delete')) {
      operations.push(this.#deletion(path, 'delete', `delete${withArticle(kind)}`, [200, 202]));
    }
    return operations;
  }

  subresourceOperations(subresource: SubresourceInfo): readonly Operation[] {
    const { kind } = this.#info;
    const { name, verbs, gvk } = subresource;
    const path = `${this.#root}/{name}/${name}`;
    const schema = schemaOf(gvk)?.name;
    const isOptions = gvk.kind.endsWith('Options');
    if (isOptions) return this.#connections(path, subresource);
    const body = gvk.kind === kind || schema === undefined ? this.#item : schema;
    const of = (operation: Operation): Operation => ({
      ...operation,
      ...(this.#custom ? {} : { gvk }),
      answer: body,
      ...(operation.body === this.#item ? { body } : {}),
    });
    const operations: Operation[] = [];
    if (name === 'log') return [this.#logs(path)];
    const specified = `${name} of the specified ${kind}`;
    if (verbs.includes('get')) operations.push(of(this.#read(path, `read ${specified}`, name)));
    if (verbs.includes('update')) {
      operations.push(of(this.#write(path, 'put', 'replace', `replace ${specified}`, [200, 201], name)));
    }
    if (verbs.includes('patch')) {
      operations.push(of(this.#patch(path, `partially update ${specified}`, name)));
    }
    if (verbs.includes('create')) {
      const description = `create ${name} of${withArticle(kind)}`;
      operations.push(of(this.#write(path, 'post', 'create', description, [200, 201, 202], name)));
    }
    return operations;
  }

  #read(path: string, description: string, subresource = ''): Operation {
    return this.#operation(path, 'get', 'read', subresource, {
      action: 'get',
      description,
      answer: this.#item,
      codes: [200],
    });
  }

  #write(
    path: string,
    method: 'post' | 'put',
    verb: string,
    description: string,
    codes: readonly number[],
    subresource = '',
  ): Operation {
    return this.#operation(path, method, verb, subresource, {
      action: method,
      description,
      body: this.#item,
      bodyRequired: true,
      ...(this.#custom ? { bodyTypes: CUSTOM_ANSWERS } : {}),
      answer: this.#item,
      codes,
    });
  }

  #patch(path: string, description: string, subresource = ''): Operation {
    return this.#operation(path, 'patch', 'patch', subresource, {
      action: 'patch',
      description,
      body: `${META}.Patch`,
      bodyRequired: true,
      bodyTypes: this.#custom
        ? [APPLY_PATCH, JSON_PATCH, MERGE_PATCH]
        : [APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH],
      answer: this.#item,
      codes: this.#custom ? [200] : [200, 201],
    });
  }

  #deletion(
    path: string,
    action: 'delete' | 'deletecollection',
    description: string,
    codes: readonly number[],
  ): Operation {
    const { resource, group } = this.#info;
    const answersObject = action === 'delete' && ANSWERS_DELETED.has(`${resource}.${group}`);
    return this.#operation(path, 'delete', 'delete', '', {
      action,
      description,
      body: `${META}.DeleteOptions`,
      ...(this.#custom ? { bodyTypes: CUSTOM_ANSWERS } : {}),
      answer: answersObject ? this.#item : `${META}.Status`,
      codes,
    });
  }

  #logs(path: string): Operation {
    const gvk = { group: '', version: 'v1', kind: 'PodLogOptions' };
    const read = this.#read(path, `read log of the specified ${this.#info.kind}`, 'log');
    const { answer: _, ...plain } = read;
    return {
      ...plain,
      parameters: [...optionParameters(gvk), ...read.parameters],
      answerTypes: [...BUILTIN_ANSWERS, 'text/plain'],
    };
  }

  #connections(path: string, { name, verbs, gvk }: SubresourceInfo): readonly Operation[] {
    const methods = name === 'proxy' ? PROXY_METHODS : verbs.map((verb) => CONNECT_METHODS[verb]);
    return methods
      .filter((method) => method !== undefined)
      .map((method) => {
        const upper = method.toUpperCase();
        return {
          ...this.#operation(path, method, `connect`, name, {
            action: 'connect',
            description: `connect ${upper} requests to ${name} of ${this.#info.kind}`,
            codes: [200],
          }),
          operationId: this.#operationId('connect', name, capitalized(method)),
          gvk,
          parameters: [
            ...optionParameters(gvk),
            nameOf(gvk.kind),
            ...(this.#info.namespaced ? [NAMESPACE] : []),
          ],
          answerTypes: ['*/*'],
        };
      });
  }

  #operation(
    path: string,
    method: Method,
    verb: string,
    subresource: string,
    rest: Pick<Operation, 'description' | 'codes'> & Partial<Operation> & { readonly action: Action },
  ): Operation {
    const { group, version, kind, namespaced } = this.#info;
    return {
      path,
      method,
      operationId: this.#operationId(verb, subresource),
      tag: `${uncapitalized(this.#words)}_${version}`,
      gvk: { group, version, kind },
      parameters: [
        ...ACTION_PARAMETERS[rest.action],
        ...(path.includes('{name}') ? [nameOf(kind)] : []),
        ...(namespaced ? [NAMESPACE] : []),
        PRETTY,
      ],
      answerTypes: this.#custom ? CUSTOM_ANSWERS : BUILTIN_ANSWERS,
      ...rest,
    };
  }

  #operationId(verb: string, subresource: string, method = ''): string {
    const { version, kind, namespaced } = this.#info;
    const scope = namespaced ? 'Namespaced' : '';
    return `${verb}${this.#words}${capitalized(version)}${method}${scope}${kind}${capitalized(subresource)}`;
  }
}

const CONNECT_METHODS: Readonly<Record<string, Method>> = {
  get: 'get',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
};

const PROXY_METHODS: readonly Method[] = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];

function optionParameters(gvk: GroupVersionKind): readonly Parameter[] {
  const fields = schemaOf(gvk)?.fields ?? [];
  return fields
    .filter(({ name, schema }) => {
      const isTime = schema.kind === 'scalar' && schema.type === 'time';
      return name !== 'apiVersion' && name !== 'kind' && !isTime;
    })
    .map(({ name, schema }) => {
      const scalar = schema.kind === 'list' ? schema.items : schema;
      const type = scalar.kind !== 'scalar' ? 'string' : (OPTION_TYPES[scalar.type] ?? 'string');
      return option(name, type, `Option ${name} of the connection.`);
    });
}

const OPTION_TYPES: Readonly<Record<string, Parameter['type']>> = {
  boolean: 'boolean',
  int32: 'integer',
  int64: 'integer',
};
