/**
 * What a node may do: report on itself and its pods, and read what those pods need, nothing else
 * (https://kubernetes.io/docs/reference/access-authn-authz/node/). Together with the NodeRestriction admission plugin,
 * which looks at the content of its writes.
 */
import type { rbacV1 } from '#api';
import type { UserInfo } from '#machinery';
import type { AuthorizationAttributes, Authorizer, Decision } from './authorizer.ts';
import type { NodeGraph, NodeObjectKind } from './node-graph.ts';
import { nodeNameOf } from './node-identity.ts';
import { ruleAllows } from './policy-rule.ts';
import type { RuleResolver, UserRules } from './rbac-authorizer.ts';

const ALLOW: Decision = { verdict: 'allow', reason: '' };
const noOpinion = (reason = ''): Decision => ({ verdict: 'no-opinion', reason });

const LEASE_NAMESPACE = 'kube-node-lease';
const OWN_OBJECT_VERBS = ['get', 'create', 'update', 'patch', 'delete'];

/** Does the selector, a conjunction, demand `field` to be `value`? */
function selects(selector: string | undefined, field: string, value: string): boolean {
  return (
    selector?.split(',').some((requirement) => {
      const match = /^\s*([^=!\s]+)\s*==?\s*(.*?)\s*$/.exec(requirement);
      return match?.[1] === field && match[2] === value;
    }) === true
  );
}

export class NodeAuthorizer implements Authorizer, RuleResolver {
  readonly #graph: NodeGraph;
  readonly #rules: readonly rbacV1.PolicyRule[];

  /** `rules`: those of the ClusterRole `system:node`, for resources that are not divided by node. */
  constructor(options: { readonly graph: NodeGraph; readonly rules: readonly rbacV1.PolicyRule[] }) {
    this.#graph = options.graph;
    this.#rules = options.rules;
  }

  authorize(attributes: AuthorizationAttributes): Decision {
    const node = nodeNameOf(attributes.user);
    if (node === undefined) return noOpinion();
    if (node === '') return noOpinion(`unknown node for user ${JSON.stringify(attributes.user.name)}`);
    const decision = attributes.path === undefined ? this.#authorizeResource(node, attributes) : undefined;
    if (decision !== undefined) return decision;
    return this.#rules.some((rule) => ruleAllows(rule, attributes)) ? ALLOW : noOpinion();
  }

  rulesFor(user: UserInfo): UserRules {
    const isNode = nodeNameOf(user) !== undefined;
    return {
      rules: [],
      incomplete: isNode,
      problem: isNode ? 'node authorizer does not support user rule resolution' : undefined,
    };
  }

  /** Undefined: the resource is the same for all nodes. */
  #authorizeResource(node: string, attributes: AuthorizationAttributes): Decision | undefined {
    const { group = '', resource = '' } = attributes;
    switch (group === '' ? resource : `${resource}.${group}`) {
      case 'secrets':
        return this.#authorizeRead(node, 'secret', attributes);
      case 'configmaps':
        return this.#authorizeRead(node, 'configmap', attributes);
      case 'persistentvolumeclaims':
        return attributes.subresource === 'status'
          ? this.#authorizeStatus(node, 'pvc', attributes)
          : this.#authorizeGet(node, 'pvc', attributes);
      case 'persistentvolumes':
        return this.#authorizeGet(node, 'pv', attributes);
      case 'resourceclaims.resource.k8s.io':
        return this.#authorizeGet(node, 'resourceclaim', attributes);
      case 'volumeattachments.storage.k8s.io':
        return this.#authorizeGet(node, 'volumeattachment', attributes);
      case 'serviceaccounts':
        return this.#authorizeServiceAccount(node, attributes);
      case 'leases.coordination.k8s.io':
        return authorizeLease(node, attributes);
      case 'csinodes.storage.k8s.io':
        return authorizeCsiNode(node, attributes);
      case 'resourceslices.resource.k8s.io':
        return this.#authorizeResourceSlice(node, attributes);
      case 'nodes':
        return authorizeNode(node, attributes);
      case 'pods':
        return this.#authorizePod(node, attributes);
      case 'podcertificaterequests.certificates.k8s.io':
        // Off by default upstream.
        return noOpinion();
      default:
        return undefined;
    }
  }

  #authorizeRelated(node: string, kind: NodeObjectKind, attributes: AuthorizationAttributes): Decision {
    const { namespace = '', name = '' } = attributes;
    if (name === '') return noOpinion('No Object name found');
    return this.#graph.reaches(node, kind, namespace, name)
      ? ALLOW
      : noOpinion(`no relationship found between node '${node}' and this object`);
  }

  #authorizeGet(node: string, kind: NodeObjectKind, attributes: AuthorizationAttributes): Decision {
    if (attributes.verb !== 'get') return noOpinion('can only get individual resources of this type');
    if ((attributes.subresource ?? '') !== '') return noOpinion('cannot get subresource');
    return this.#authorizeRelated(node, kind, attributes);
  }

  #authorizeRead(node: string, kind: NodeObjectKind, attributes: AuthorizationAttributes): Decision {
    if (!['get', 'list', 'watch'].includes(attributes.verb)) {
      return noOpinion('can only read resources of this type');
    }
    if ((attributes.subresource ?? '') !== '') return noOpinion('cannot read subresource');
    if ((attributes.namespace ?? '') === '') {
      return noOpinion('can only read namespaced object of this type');
    }
    return this.#authorizeRelated(node, kind, attributes);
  }

  #authorizeStatus(node: string, kind: NodeObjectKind, attributes: AuthorizationAttributes): Decision {
    if (!['update', 'patch'].includes(attributes.verb)) {
      return noOpinion('can only get/update/patch this type');
    }
    return this.#authorizeRelated(node, kind, attributes);
  }

  #authorizeServiceAccount(node: string, attributes: AuthorizationAttributes): Decision {
    const { verb, subresource = '', namespace = '', name = '' } = attributes;
    if (verb === 'get' && subresource === '') return this.#authorizeRead(node, 'serviceaccount', attributes);
    if (verb !== 'create' || name === '') {
      return noOpinion('can only create tokens for individual service accounts');
    }
    if (subresource !== 'token') return noOpinion('can only create token subresource of serviceaccount');
    return this.#graph.reaches(node, 'serviceaccount', namespace, name)
      ? ALLOW
      : noOpinion(`no relationship found between node '${node}' and this object`);
  }

  #authorizeResourceSlice(node: string, attributes: AuthorizationAttributes): Decision {
    if ((attributes.subresource ?? '') !== '')
      return noOpinion('cannot authorize ResourceSlice subresources');
    switch (attributes.verb) {
      case 'create':
        return ALLOW;
      case 'get':
      case 'update':
      case 'patch':
      case 'delete':
        return this.#authorizeRelated(node, 'resourceslice', attributes);
      case 'watch':
      case 'list':
      case 'deletecollection':
        return selects(attributes.fieldSelector, 'spec.nodeName', node)
          ? ALLOW
          : noOpinion('can only list/watch/deletecollection resourceslices with nodeName field selector');
      default:
        return noOpinion(
          'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection',
        );
    }
  }

  #authorizePod(node: string, attributes: AuthorizationAttributes): Decision {
    const { verb, subresource = '', name = '' } = attributes;
    switch (subresource === '' ? verb : `${verb} ${subresource}`) {
      case 'get':
        return this.#authorizeGet(node, 'pod', attributes);
      case 'list':
      case 'watch':
        if (selects(attributes.fieldSelector, 'spec.nodeName', node)) return ALLOW;
        return name === ''
          ? noOpinion('can only list/watch pods with spec.nodeName field selector')
          : this.#authorizeRelated(node, 'pod', attributes);
      // NodeRestriction looks at which pod it is.
      case 'create':
      case 'delete':
      case 'update status':
      case 'patch status':
      case 'create eviction':
        return ALLOW;
      default:
        return noOpinion();
    }
  }
}

function authorizeLease(node: string, { verb, namespace, name }: AuthorizationAttributes): Decision {
  if (!OWN_OBJECT_VERBS.includes(verb)) {
    return noOpinion('can only get, create, update, patch, or delete a node lease');
  }
  if (namespace !== LEASE_NAMESPACE) {
    return noOpinion(`can only access leases in the ${JSON.stringify(LEASE_NAMESPACE)} system namespace`);
  }
  // The name is not known before admission; NodeRestriction looks at it then.
  return verb === 'create' || name === node
    ? ALLOW
    : noOpinion('can only access node lease with the same name as the requesting node');
}

function authorizeCsiNode(node: string, attributes: AuthorizationAttributes): Decision {
  const { verb, name } = attributes;
  if (!OWN_OBJECT_VERBS.includes(verb)) {
    return noOpinion('can only get, create, update, patch, or delete a CSINode');
  }
  if ((attributes.subresource ?? '') !== '') return noOpinion('cannot authorize CSINode subresources');
  return verb === 'create' || name === node
    ? ALLOW
    : noOpinion('can only access CSINode with the same name as the requesting node');
}

function authorizeNode(node: string, attributes: AuthorizationAttributes): Decision {
  const { verb, subresource = '', name = '' } = attributes;
  switch (subresource === '' ? verb : `${verb} ${subresource}`) {
    case 'create':
    case 'update':
    case 'patch':
    case 'update status':
    case 'patch status':
      return ALLOW;
    case 'get':
    case 'list':
    case 'watch':
      if (name === node) return ALLOW;
      return noOpinion(
        name === ''
          ? `node '${node}' cannot read all nodes, only its own Node object`
          : `node '${node}' cannot read '${name}', only its own Node object`,
      );
    default:
      return noOpinion();
  }
}
