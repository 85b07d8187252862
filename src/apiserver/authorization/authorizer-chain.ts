import type { rbacV1 } from '#api';
import type { UserInfo } from '#machinery';
import type { AuthorizationAttributes, Authorizer, Decision } from './authorizer.ts';
import { joinProblems, type RuleResolver, type UserRules } from './rbac-authorizer.ts';

/** Members of this group may do everything, whatever the rules say: the way back into a locked cluster. */
export const SUPERUSER_GROUP = 'system:masters';

/** Allows everything to `system:masters`. */
export const superuserAuthorizer: Authorizer & RuleResolver = {
  authorize(attributes: AuthorizationAttributes): Decision {
    return attributes.user.groups.includes(SUPERUSER_GROUP)
      ? { verdict: 'allow', reason: '' }
      : { verdict: 'no-opinion', reason: '' };
  },
  rulesFor(): UserRules {
    return { rules: [], incomplete: false, problem: undefined };
  },
};

/** Asks one after the other; the first that allows or denies decides. Reasons of the undecided are joined by lines. */
export class AuthorizerChain implements Authorizer, RuleResolver {
  readonly #members: readonly (Authorizer & RuleResolver)[];

  constructor(members: readonly (Authorizer & RuleResolver)[]) {
    this.#members = members;
  }

  authorize(attributes: AuthorizationAttributes): Decision {
    const reasons: string[] = [];
    for (const member of this.#members) {
      const decision = member.authorize(attributes);
      if (decision.verdict !== 'no-opinion') return decision;
      if (decision.reason !== '') reasons.push(decision.reason);
    }
    return { verdict: 'no-opinion', reason: reasons.join('\n') };
  }

  rulesFor(user: UserInfo, namespace: string): UserRules {
    const rules: rbacV1.PolicyRule[] = [];
    const problems: string[] = [];
    let incomplete = false;
    for (const member of this.#members) {
      const part = member.rulesFor(user, namespace);
      rules.push(...part.rules);
      if (part.problem !== undefined) problems.push(part.problem);
      incomplete ||= part.incomplete;
    }
    return { rules, incomplete, problem: problems.length === 0 ? undefined : joinProblems(problems) };
  }
}
