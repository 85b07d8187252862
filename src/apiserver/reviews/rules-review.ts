import type { authorizationV1 } from '#api';
import { badRequest, type KubeObject } from '#machinery';
import type { RuleResolver } from '../authorization/rbac-authorizer.ts';
import type { VirtualRequest, VirtualResource } from '../registry/virtual-resource.ts';
import { typed } from '../typed-object.ts';

/** All rules I have in a namespace, as `kubectl auth can-i --list` shows them. */
export function selfSubjectRulesReview(resolver: RuleResolver): VirtualResource {
  return {
    group: 'authorization.k8s.io',
    resource: 'selfsubjectrulesreviews',
    async create({ body, user }: VirtualRequest): Promise<KubeObject> {
      const { spec } = typed<authorizationV1.SelfSubjectRulesReview>(body);
      const namespace = spec?.namespace ?? '';
      if (namespace === '') throw badRequest('no namespace on request');
      const { rules, incomplete, problem } = resolver.rulesFor(user, namespace);
      const status: authorizationV1.SubjectRulesReviewStatus = {
        resourceRules: rules
          .filter((rule) => (rule.resources?.length ?? 0) > 0)
          .map(({ verbs, apiGroups, resources, resourceNames }) => ({
            verbs,
            ...(apiGroups === undefined ? {} : { apiGroups }),
            ...(resources === undefined ? {} : { resources }),
            ...(resourceNames === undefined || resourceNames.length === 0 ? {} : { resourceNames }),
          })),
        nonResourceRules: rules
          .filter((rule) => (rule.nonResourceURLs?.length ?? 0) > 0)
          .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
        incomplete,
        ...(problem === undefined ? {} : { evaluationError: problem }),
      };
      return { apiVersion: body.apiVersion, kind: body.kind, metadata: {}, spec: {}, status };
    },
  };
}
