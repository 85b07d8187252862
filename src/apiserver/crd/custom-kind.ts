/** What a CustomResourceDefinition's versions are to the registry: rows of discovery, rules, conversions. */
import { type apiextensionsV1, type KindBehaviour, type ResourceInfo, schemaByName } from '#api';
import {
  applyDefaults,
  compileStructuralSchema,
  decodeObject,
  deepEqual,
  type KubeObject,
  methodNotAllowed,
  pruneForbiddenNulls,
  type StructSchema,
  validateCustomValue,
} from '#machinery';
import { withMetadata } from '../registry/object-metadata.ts';
import type { ScalePaths } from '../registry/scale-paths.ts';
import { type CustomVersion, ServedResource } from '../registry/served-resource.ts';
import type { StoredResource } from '../registry/stored-resource.ts';
import { customColumns, selectableFieldsOf } from './custom-columns.ts';

type Definition = apiextensionsV1.CustomResourceDefinition;
type Version = apiextensionsV1.CustomResourceDefinitionVersion;

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

export function storageVersionOf(definition: Definition): string {
  return definition.spec.versions.find(({ storage }) => storage)?.name ?? '';
}

/** One per version, also of those not served: the server itself reads and deletes in the stored one. */
export function servedVersions(definition: Definition, stored: StoredResource): readonly ServedResource[] {
  return definition.spec.versions.map((version) => {
    const schema = schemaOfVersion(definition, version);
    const info = infoOf(definition, version, schema);
    return new ServedResource(info, stored, new DefinedVersion(definition, version, info));
  });
}

function schemaOfVersion(definition: Definition, version: Version): StructSchema {
  const metadataSchema = schemaByName(OBJECT_META);
  if (metadataSchema === undefined) throw new Error('the schema facts have no ObjectMeta');
  return compileStructuralSchema(version.schema?.openAPIV3Schema, {
    preserveUnknownFields: definition.spec.preserveUnknownFields === true,
    metadataSchema,
  });
}

function infoOf(definition: Definition, version: Version, schema: StructSchema): ResourceInfo {
  const { group, names, scope } = definition.spec;
  const gvk = { group, version: version.name, kind: names.kind };
  const { status, scale } = version.subresources ?? {};
  return {
    group,
    version: version.name,
    resource: names.plural,
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: scope === 'Namespaced',
    verbs: VERBS,
    servedByDefault: true,
    schema,
    subresources: [
      ...(status === undefined ? [] : [{ name: 'status', verbs: ['get', 'patch', 'update'], gvk }]),
      ...(scale === undefined
        ? []
        : [
            {
              name: 'scale',
              verbs: ['get', 'patch', 'update'],
              gvk: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
            },
          ]),
    ],
    storage: { group, version: storageVersionOf(definition), resource: names.plural, kind: names.kind },
  };
}

class DefinedVersion implements CustomVersion {
  readonly columns: CustomVersion['columns'];
  readonly scale: ScalePaths | undefined;
  readonly behaviour: KindBehaviour;
  readonly #apiVersion: string;
  readonly #schema: StructSchema;

  constructor(definition: Definition, version: Version, info: ResourceInfo) {
    this.#schema = info.schema;
    this.#apiVersion = `${info.group}/${info.version}`;
    this.columns = customColumns(version.additionalPrinterColumns);
    const scale = version.subresources?.scale;
    this.scale = scale && {
      specReplicas: scale.specReplicasPath,
      statusReplicas: scale.statusReplicasPath,
      selector: scale.labelSelectorPath,
    };
    this.behaviour = behaviourOf(definition, version, info);
  }

  /** Conversion strategy `None`: the same fields under another version, pruned and defaulted by its schema. */
  fromStorage(object: KubeObject): KubeObject {
    if (object.apiVersion === this.#apiVersion) return applyDefaults(this.#schema, object);
    const relabelled = { ...object, apiVersion: this.#apiVersion };
    const pruned = decodeObject(this.#schema, relabelled, { fieldValidation: 'Ignore' }).object;
    return applyDefaults(this.#schema, pruned);
  }

  prepareDecoded(object: KubeObject): KubeObject {
    return pruneForbiddenNulls(this.#schema, object);
  }
}

function behaviourOf(definition: Definition, version: Version, info: ResourceInfo): KindBehaviour {
  const { schema, group, kind } = info;
  const hasStatus = version.subresources?.status !== undefined;
  const isTerminating = definition.metadata.deletionTimestamp !== undefined;
  return {
    group,
    kind,
    nameRule: 'dns1123-subdomain',
    prepareForCreate: (object) => {
      if (isTerminating) throw methodNotAllowed({ group, resource: info.resource }, 'create');
      return withMetadata(hasStatus ? withoutStatus(object) : object, { generation: 1 });
    },
    validateCreate: (object) => validateCustomValue(schema, object),
    validateUpdate: (object, old) => validateCustomValue(schema, object, undefined, { old }),
    validateStatusUpdate: (object, old) => validateCustomValue(schema, object, undefined, { old }),
    bumpsGeneration: (object, old) => differs(object, old, hasStatus),
    selectableFields: selectableFieldsOf(version.selectableFields),
  };
}

function withoutStatus(object: KubeObject): KubeObject {
  const { status: _, ...rest } = object;
  return rest;
}

function differs(next: KubeObject, old: KubeObject, ignoresStatus: boolean): boolean {
  return [...new Set([...Object.keys(next), ...Object.keys(old)])].some(
    (field) =>
      field !== 'metadata' &&
      field !== 'apiVersion' &&
      !(ignoresStatus && field === 'status') &&
      !deepEqual(next[field], old[field]),
  );
}
