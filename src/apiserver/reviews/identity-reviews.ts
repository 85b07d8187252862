/** TokenReview (whose token is this?) and SelfSubjectReview (who am I?). */
import type { authenticationV1 } from '#api';
import { badRequest, type KubeObject, type UserInfo } from '#machinery';
import { type Clock, formatTime } from '#platform';
import { InvalidTokenError, type TokenAuthenticator } from '../authentication/token-authenticator.ts';
import type { VirtualRequest, VirtualResource } from '../registry/virtual-resource.ts';
import { typed } from '../typed-object.ts';

const GROUP = 'authentication.k8s.io';

function userStatus(user: UserInfo): authenticationV1.UserInfo {
  return {
    username: user.name,
    ...(user.uid === undefined || user.uid === '' ? {} : { uid: user.uid }),
    groups: user.groups,
    ...(user.extra === undefined || Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
  };
}

/** Go's aggregate of the outer error and the token's own. */
function describeProblem(error: InvalidTokenError | undefined): string {
  return error === undefined ? 'invalid bearer token' : `[invalid bearer token, ${error.message}]`;
}

export function tokenReview(options: {
  readonly tokens: TokenAuthenticator;
  readonly audiences: readonly string[];
}): VirtualResource {
  return {
    group: GROUP,
    resource: 'tokenreviews',
    async create({ body }: VirtualRequest): Promise<KubeObject> {
      const { spec } = typed<authenticationV1.TokenReview>(body);
      if ((spec?.token ?? '') === '') {
        throw badRequest('token is required for TokenReview in authentication');
      }
      const asked = spec.audiences ?? [];
      let problem: InvalidTokenError | undefined;
      try {
        const identity = options.tokens.authenticateToken(
          spec.token,
          asked.length === 0 ? options.audiences : asked,
        );
        if (identity !== undefined) {
          const status: authenticationV1.TokenReviewStatus = {
            authenticated: true,
            user: userStatus(identity.user),
            audiences: identity.audiences,
          };
          return { ...body, status };
        }
      } catch (error) {
        if (!(error instanceof InvalidTokenError)) throw error;
        problem = error;
      }
      return { ...body, status: { user: {}, error: describeProblem(problem) } };
    },
  };
}

export function selfSubjectReview(options: { readonly clock: Clock }): VirtualResource {
  return {
    group: GROUP,
    resource: 'selfsubjectreviews',
    async create({ body, user }: VirtualRequest): Promise<KubeObject> {
      return {
        apiVersion: body.apiVersion,
        kind: body.kind,
        metadata: { creationTimestamp: formatTime(options.clock.now()) },
        status: { userInfo: userStatus(user) },
      };
    },
  };
}
