import type { rbacV1 } from '#api';
import { notFound, type UserInfo } from '#machinery';
import type { AuthorizationAttributes, Authorizer, Decision } from './authorizer.ts';
import { ruleAllows } from './policy-rule.ts';
import type { RbacIndex } from './rbac-index.ts';

/** What a user may do in a namespace, as far as rules can say it. */
export interface UserRules {
  readonly rules: readonly rbacV1.PolicyRule[];
  /** True when an authorizer decides by more than rules (nodes). */
  readonly incomplete: boolean;
  readonly problem: string | undefined;
}

/** An authorizer that can list what it would allow. */
export interface RuleResolver {
  rulesFor(user: UserInfo, namespace: string): UserRules;
}

/** As Go joins several errors: one as it is, more in brackets, each once. */
export function joinProblems(problems: readonly string[]): string {
  const unique = [...new Set(problems)];
  return unique.length === 1 ? (unique[0] ?? '') : `[${unique.join(', ')}]`;
}

/** The lister that upstream asks names the resource in the singular. */
const describeMissing = (roles: readonly rbacV1.RoleRef[]): string =>
  joinProblems(
    roles.map(({ apiGroup, kind, name }) => {
      const resource = kind === 'Role' ? 'role' : 'clusterrole';
      return notFound({ group: apiGroup, resource }, name).message;
    }),
  );

/** Role-based access control: allows what a bound role's rules allow, never denies. */
export class RbacAuthorizer implements Authorizer, RuleResolver {
  readonly #index: RbacIndex;

  constructor(options: { readonly index: RbacIndex }) {
    this.#index = options.index;
  }

  authorize(attributes: AuthorizationAttributes): Decision {
    const { grants, missingRoles } = this.#index.grantsOf(attributes.user, attributes.namespace ?? '');
    for (const grant of grants) {
      for (const rule of grant.rules) {
        if (ruleAllows(rule, attributes)) {
          return { verdict: 'allow', reason: `RBAC: allowed by ${grant.source}` };
        }
      }
    }
    return {
      verdict: 'no-opinion',
      reason: missingRoles.length === 0 ? '' : `RBAC: ${describeMissing(missingRoles)}`,
    };
  }

  rulesFor(user: UserInfo, namespace: string): UserRules {
    const { grants, missingRoles } = this.#index.grantsOf(user, namespace);
    return {
      rules: grants.flatMap((grant) => grant.rules),
      incomplete: false,
      problem: missingRoles.length === 0 ? undefined : describeMissing(missingRoles),
    };
  }
}
