import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinResources, type ResourceInfo, schemaByName } from '#api';
import { compileStructuralSchema, type SchemaDefinition } from '#machinery';
import { OpenApiDocuments } from './openapi-documents.ts';
import { openApiV2Document } from './openapi-v2.ts';
import { openApiV3Document } from './openapi-v3.ts';

const builtin = builtinResources.filter((info) => info.servedByDefault);
const metadataSchema = schemaByName('meta/v1.ObjectMeta');
assert.ok(metadataSchema !== undefined);

function customResource(definition: SchemaDefinition, subresources: readonly string[] = []): ResourceInfo {
  assert.ok(metadataSchema !== undefined);
  const gvk = { group: 'stable.example.com', version: 'v1', kind: 'CronTab' };
  return {
    ...gvk,
    resource: 'crontabs',
    listKind: 'CronTabList',
    singular: 'crontab',
    shortNames: [],
    categories: [],
    namespaced: true,
    servedByDefault: true,
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    schema: compileStructuralSchema(definition, { metadataSchema }),
    subresources: subresources.map((name) => ({ name, verbs: ['get', 'patch', 'update'], gvk })),
    storage: { ...gvk, resource: 'crontabs' },
  };
}
const cronTab: SchemaDefinition = {
  type: 'object',
  description: 'CronTab for Testing',
  properties: {
    spec: {
      type: 'object',
      required: ['cron'],
      properties: {
        cron: { type: 'string', pattern: '^.+$', default: '* * * * *', allOf: [{ minLength: 1 }] },
        port: { 'x-kubernetes-int-or-string': true },
        maybe: { type: 'string', nullable: true },
        open: {
          type: 'object',
          'x-kubernetes-preserve-unknown-fields': true,
          properties: { a: { type: 'string' } },
        },
      },
    },
  },
};

/** Follows a path of keys into a document. */
function at(document: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Readonly<Record<string, unknown>> | undefined)?.[key],
    document,
  );
}
const withoutDescriptions = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, member: unknown) =>
      key === 'description' && typeof member === 'string' ? undefined : member,
    ),
  );

test('A built-in type is published as upstream publishes it', () => {
  const document = openApiV3Document({ group: '', version: 'v1' }, builtin);
  const schema = (name: string): unknown =>
    withoutDescriptions(at(document, 'components', 'schemas', `io.k8s.api.core.v1.${name}`));
  assert.deepEqual(schema('ContainerPort'), {
    type: 'object',
    required: ['containerPort'],
    properties: {
      containerPort: { type: 'integer', format: 'int32', default: 0 },
      hostIP: { type: 'string' },
      hostPort: { type: 'integer', format: 'int32' },
      name: { type: 'string' },
      protocol: { type: 'string', default: 'TCP', enum: ['SCTP', 'TCP', 'UDP'] },
    },
  });
  assert.deepEqual(schema('ConfigMap'), {
    type: 'object',
    properties: {
      apiVersion: { type: 'string' },
      binaryData: { type: 'object', additionalProperties: { type: 'string', format: 'byte' } },
      data: { type: 'object', additionalProperties: { type: 'string', default: '' } },
      immutable: { type: 'boolean' },
      kind: { type: 'string' },
      metadata: {
        default: {},
        allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }],
      },
    },
    'x-kubernetes-group-version-kind': [{ group: '', kind: 'ConfigMap', version: 'v1' }],
  });
  const ports = at(schema('Container'), 'properties', 'ports');
  assert.deepEqual(ports, {
    type: 'array',
    items: { default: {}, allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.ContainerPort' }] },
    'x-kubernetes-list-map-keys': ['containerPort', 'protocol'],
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-patch-merge-key': 'containerPort',
    'x-kubernetes-patch-strategy': 'merge',
  });
});

test('Every reference of every document leads somewhere', () => {
  const resources = [...builtin, customResource(cronTab, ['status'])];
  const references = (value: unknown): readonly string[] =>
    Array.from(JSON.stringify(value).matchAll(/"\$ref":"[^"]*\/([^"/]+)"/g), ([, name]) => name ?? '');
  for (const { group, version } of resources) {
    const document = openApiV3Document({ group, version }, resources);
    const schemas = at(document, 'components', 'schemas') as object;
    for (const name of references(document)) assert.ok(Object.hasOwn(schemas, name), `${group}: ${name}`);
  }
  const v2 = openApiV2Document(resources);
  for (const name of references(v2)) assert.ok(Object.hasOwn(v2.definitions, name), name);
});

test('PATCH names the media types of patches and lists fieldValidation, by which kubectl decides', () => {
  const document = openApiV3Document({ group: 'apps', version: 'v1' }, builtin);
  const patch = at(document, 'paths', '/apis/apps/v1/namespaces/{namespace}/deployments/{name}', 'patch');
  const parameters = at(patch, 'parameters') as readonly { readonly name: string }[];
  assert.deepEqual(
    parameters.map(({ name }) => name),
    ['dryRun', 'fieldManager', 'fieldValidation', 'force'],
  );
  assert.deepEqual(Object.keys(at(patch, 'requestBody', 'content') as object), [
    'application/apply-patch+yaml',
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/strategic-merge-patch+json',
  ]);
  assert.equal(at(patch, 'operationId'), 'patchAppsV1NamespacedDeployment');
  assert.equal(at(patch, 'x-kubernetes-action'), 'patch');
  assert.deepEqual(at(patch, 'x-kubernetes-group-version-kind'), {
    group: 'apps',
    version: 'v1',
    kind: 'Deployment',
  });
});

test('A custom resource is published in v3 as its definition has it', () => {
  const document = openApiV3Document({ group: 'stable.example.com', version: 'v1' }, [
    customResource(cronTab),
  ]);
  const schema = at(document, 'components', 'schemas', 'com.example.stable.v1.CronTab');
  assert.equal(at(schema, 'description'), 'CronTab for Testing');
  assert.match(String(at(schema, 'properties', 'apiVersion', 'description')), /^APIVersion defines/);
  assert.deepEqual(at(schema, 'properties', 'spec'), {
    type: 'object',
    required: ['cron'],
    properties: {
      cron: { type: 'string', pattern: '^.+$', default: '* * * * *', allOf: [{ minLength: 1 }] },
      port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
      maybe: { type: 'string', nullable: true },
      open: {
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        properties: { a: { type: 'string' } },
      },
    },
  });
});

test('In v2 a custom resource loses what v2 clients cannot cope with', () => {
  const definitions = openApiV2Document([customResource(cronTab)]).definitions;
  assert.deepEqual(at(definitions, 'com.example.stable.v1.CronTab', 'properties', 'spec'), {
    type: 'object',
    properties: {
      cron: { type: 'string', pattern: '^.+$' },
      port: { 'x-kubernetes-int-or-string': true },
      maybe: {},
      open: { 'x-kubernetes-preserve-unknown-fields': true },
    },
    required: ['cron'],
  });
  const open = customResource({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true });
  assert.deepEqual(openApiV2Document([open]).definitions['com.example.stable.v1.CronTab'], {
    type: 'object',
    'x-kubernetes-group-version-kind': [{ group: 'stable.example.com', kind: 'CronTab', version: 'v1' }],
  });
});

test('A document is rebuilt only when a resource of its own group changes', () => {
  let resources: readonly ResourceInfo[] = [...builtin, customResource(cronTab)];
  const documents = new OpenApiDocuments({ serverVersion: 'v1', resources: () => resources });
  const hashes = (): unknown => at(documents.v3Index(), 'paths');
  const apps = documents.v3('apis/apps/v1');
  const custom = documents.v3('apis/stable.example.com/v1');
  assert.ok(apps !== undefined && custom !== undefined);
  assert.deepEqual(at(hashes(), 'apis/apps/v1'), {
    serverRelativeURL: `/openapi/v3/apis/apps/v1?hash=${apps.etag}`,
  });
  const before = hashes();
  resources = [...builtin, customResource({ ...cronTab, description: 'changed' })];
  assert.equal(documents.v3('apis/apps/v1'), apps);
  assert.notEqual(documents.v3('apis/stable.example.com/v1')?.etag, custom.etag);
  assert.deepEqual(at(hashes(), 'api/v1'), at(before, 'api/v1'));
  resources = builtin;
  assert.equal(documents.v3('apis/stable.example.com/v1'), undefined);
});

test('An equal definition compiled anew gives the same hash', () => {
  const documents = (): OpenApiDocuments =>
    new OpenApiDocuments({ serverVersion: 'v1', resources: () => [customResource(cronTab)] });
  assert.deepEqual(documents().v3Index(), documents().v3Index());
});
