/** SubjectAccessReview and its two siblings: ask the authorizer without making the request. */
import type { authorizationV1 } from '#api';
import {
  badRequest,
  FieldPath,
  type FieldError,
  invalid,
  invalidObject,
  type KubeObject,
  required,
  type UserInfo,
} from '#machinery';
import type { AuthorizationAttributes, Authorizer } from '../authorization/authorizer.ts';
import type { VirtualRequest, VirtualResource } from '../registry/virtual-resource.ts';
import { typed } from '../typed-object.ts';
import { parseSelectors, type ParsedSelectors } from './selector-attributes.ts';

const GROUP = 'authorization.k8s.io';

type Spec = authorizationV1.SubjectAccessReviewSpec;
type Resource = authorizationV1.ResourceAttributes;

function validateSelector(
  selector: authorizationV1.FieldSelectorAttributes | undefined,
  path: FieldPath,
): readonly FieldError[] {
  if (selector === undefined) return [];
  const raw = selector.rawSelector ?? '';
  const count = selector.requirements?.length ?? 0;
  const errors: FieldError[] = [];
  if (raw !== '' && count > 0) {
    errors.push(
      invalid(path.child('rawSelector'), raw, 'may not specified at the same time as requirements'),
    );
  }
  if (raw === '' && count === 0) {
    errors.push(
      required(
        path.child('requirements'),
        `when ${String(path)} is specified, requirements or rawSelector is required`,
      ),
    );
  }
  return errors;
}

function validateSpec(spec: Spec, named: boolean): readonly FieldError[] {
  const errors: FieldError[] = [];
  const path = new FieldPath('spec');
  const { resourceAttributes: resource, nonResourceAttributes: nonResource } = spec;
  if (resource !== undefined && nonResource !== undefined) {
    // The value is printed with the field names of the internal type.
    errors.push(
      invalid(
        path.child('nonResourceAttributes'),
        { Path: nonResource.path ?? '', Verb: nonResource.verb ?? '' },
        'cannot be specified in combination with resourceAttributes',
      ),
    );
  }
  if (resource === undefined && nonResource === undefined) {
    errors.push(
      invalid(
        path.child('resourceAttributes'),
        null,
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    );
  }
  if (named && (spec.user ?? '') === '' && (spec.groups?.length ?? 0) === 0) {
    errors.push(invalid(path.child('user'), '', 'at least one of user or group must be specified'));
  }
  const at = path.child('resourceAttributes');
  errors.push(...validateSelector(resource?.fieldSelector, at.child('fieldSelector')));
  errors.push(...validateSelector(resource?.labelSelector, at.child('labelSelector')));
  return errors;
}

/** A review has no identity; what the server itself adds does not count. */
function validateMetadata(metadata: KubeObject['metadata'], withNamespace: boolean): readonly FieldError[] {
  const { managedFields: _tracked, creationTimestamp: _time, namespace, ...rest } = metadata;
  const foreign = Object.values(rest).some((value) => value !== undefined);
  const misplaced = !withNamespace && namespace !== undefined && namespace !== '';
  if (!foreign && !misplaced) return [];
  return [
    invalid('metadata', metadata, withNamespace ? 'must be empty except for namespace' : 'must be empty'),
  ];
}

function attributesOf(user: UserInfo, spec: Spec, selectors: ParsedSelectors): AuthorizationAttributes {
  const { resourceAttributes: resource, nonResourceAttributes: nonResource } = spec;
  if (resource === undefined) {
    return { user, verb: nonResource?.verb ?? '', path: nonResource?.path ?? '' };
  }
  return { user, ...resourceAttributes(resource), ...selectors.attributes };
}

const resourceAttributes = (resource: Resource) => ({
  verb: resource.verb ?? '',
  group: resource.group ?? '',
  version: resource.version === undefined || resource.version === '' ? '*' : resource.version,
  resource: resource.resource ?? '',
  subresource: resource.subresource,
  namespace: resource.namespace,
  name: resource.name,
});

function answer(authorizer: Authorizer, user: UserInfo, body: KubeObject, spec: Spec): KubeObject {
  const selectors = parseSelectors(spec.resourceAttributes);
  const { verdict, reason } = authorizer.authorize(attributesOf(user, spec, selectors));
  const status: authorizationV1.SubjectAccessReviewStatus = {
    allowed: verdict === 'allow',
    ...(verdict === 'deny' ? { denied: true } : {}),
    ...(reason === '' ? {} : { reason }),
    ...(selectors.problem === '' ? {} : { evaluationError: selectors.problem }),
  };
  return { ...body, status };
}

const subjectOf = (spec: Spec): UserInfo => ({
  name: spec.user ?? '',
  uid: spec.uid,
  groups: spec.groups ?? [],
  extra: spec.extra,
});

function refuseIfAny(errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidObject({ group: GROUP, kind: '' }, '', errors);
}

/** What may somebody do, anywhere? */
export function subjectAccessReview(authorizer: Authorizer): VirtualResource {
  return {
    group: GROUP,
    resource: 'subjectaccessreviews',
    async create({ body }: VirtualRequest): Promise<KubeObject> {
      const { spec } = typed<authorizationV1.SubjectAccessReview>(body);
      refuseIfAny([...validateSpec(spec, true), ...validateMetadata(body.metadata, false)]);
      return answer(authorizer, subjectOf(spec), body, spec);
    },
  };
}

/** What may somebody do in this namespace? For those who may ask about one namespace only. */
export function localSubjectAccessReview(authorizer: Authorizer): VirtualResource {
  return {
    group: GROUP,
    resource: 'localsubjectaccessreviews',
    async create({ body, target }: VirtualRequest): Promise<KubeObject> {
      const { spec } = typed<authorizationV1.LocalSubjectAccessReview>(body);
      const namespace = target.namespace ?? '';
      if (namespace === '') throw badRequest('namespace is required on this type: ');
      const own = body.metadata.namespace ?? namespace;
      const errors = [...validateSpec(spec, true), ...validateMetadata(body.metadata, true)];
      const asked = spec.resourceAttributes?.namespace ?? '';
      if (spec.resourceAttributes !== undefined && asked !== own) {
        errors.push(invalid('spec.resourceAttributes.namespace', asked, 'must match metadata.namespace'));
      }
      if (spec.nonResourceAttributes !== undefined) {
        const { path = '', verb = '' } = spec.nonResourceAttributes;
        errors.push(
          invalid(
            'spec.nonResourceAttributes',
            { Path: path, Verb: verb },
            'disallowed on this kind of request',
          ),
        );
      }
      refuseIfAny(errors);
      if (own !== namespace) {
        throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
      }
      return answer(
        authorizer,
        subjectOf(spec),
        { ...body, metadata: { ...body.metadata, namespace } },
        spec,
      );
    },
  };
}

/** What may I do? */
export function selfSubjectAccessReview(authorizer: Authorizer): VirtualResource {
  return {
    group: GROUP,
    resource: 'selfsubjectaccessreviews',
    async create({ body, user }: VirtualRequest): Promise<KubeObject> {
      const { spec } = typed<authorizationV1.SelfSubjectAccessReview>(body);
      refuseIfAny([...validateSpec(spec, false), ...validateMetadata(body.metadata, false)]);
      return answer(authorizer, user, body, spec);
    },
  };
}
