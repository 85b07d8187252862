/** Resources that are questions: created, answered, never stored. */
import type { Clock } from '#platform';
import type { ServiceAccountTokenIssuer } from '../authentication/token-issuer.ts';
import type { TokenAuthenticator } from '../authentication/token-authenticator.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { RuleResolver } from '../authorization/rbac-authorizer.ts';
import type { CacheReader } from '../reader.ts';
import type { VirtualResource } from '../registry/virtual-resource.ts';
import { localSubjectAccessReview, selfSubjectAccessReview, subjectAccessReview } from './access-review.ts';
import { selfSubjectReview, tokenReview } from './identity-reviews.ts';
import { selfSubjectRulesReview } from './rules-review.ts';
import { tokenRequest } from './token-request.ts';

export interface ReviewOptions {
  readonly clock: Clock;
  readonly reader: CacheReader;
  readonly authorizer: Authorizer & RuleResolver;
  readonly tokens: TokenAuthenticator;
  readonly issuer: ServiceAccountTokenIssuer;
  readonly audiences: readonly string[];
}

export function reviews(options: ReviewOptions): readonly VirtualResource[] {
  const { authorizer } = options;
  return [
    subjectAccessReview(authorizer),
    localSubjectAccessReview(authorizer),
    selfSubjectAccessReview(authorizer),
    selfSubjectRulesReview(authorizer),
    tokenReview(options),
    selfSubjectReview(options),
    tokenRequest(options),
  ];
}
