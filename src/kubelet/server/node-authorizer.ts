/** Who may ask the node: the API server and cluster administrators; others if the API server says so. */
import { type Client, resources } from '#client';
import type { UserInfo } from '#machinery';
import type { Clock } from '#platform';

export interface NodeRequest {
  readonly method: string;
  readonly path: string;
  readonly user: UserInfo;
}

export type AuthorizeNodeRequest = (request: NodeRequest) => Promise<boolean>;
/** Undefined: the token is nobody's. */
export type AuthenticateToken = (token: string) => Promise<UserInfo | undefined>;

/** Certificate name of API servers as clients of kubelets. */
const API_SERVER = 'kube-apiserver-kubelet-client';
const ADMINISTRATORS = 'system:masters';
const ANSWER_MS = 30_000;
/** Answers remembered; the oldest go first. */
const MAX_ANSWERS = 1000;

/** The API server itself and administrators, nobody else. */
export const onlyApiServer: AuthorizeNodeRequest = async ({ user }) =>
  user.name === API_SERVER || user.groups.includes(ADMINISTRATORS);

/** Subresources of `nodes` in the order they are asked for; one is enough (KEP-2862). */
export function nodeSubresources(path: string): readonly string[] {
  const first = path.split('/')[1] ?? '';
  switch (first) {
    case 'stats':
    case 'metrics':
    case 'logs':
      return [first === 'logs' ? 'log' : first];
    case 'checkpoint':
      return ['checkpoint'];
    case 'pods':
    case 'runningpods':
      return ['pods', 'proxy'];
    case 'healthz':
    case 'configz':
      return [first, 'proxy'];
    default:
      return ['proxy'];
  }
}

const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Asks the API server, as upstream's kubelet does (webhook authentication and authorization). */
export function askApiServer(options: {
  readonly client: Client;
  readonly nodeName: string;
  readonly clock: Clock;
}): { readonly authorize: AuthorizeNodeRequest; readonly authenticate: AuthenticateToken } {
  const { client, nodeName, clock } = options;
  const allowed = new AnswerCache<boolean>(clock);
  const users = new AnswerCache<UserInfo | undefined>(clock);

  async function review(request: NodeRequest, subresource: string): Promise<boolean> {
    const { name: user, groups, extra } = request.user;
    const answer = await client.resource(resources.subjectAccessReviews).create({
      metadata: {},
      spec: {
        user,
        groups,
        ...(extra === undefined ? {} : { extra }),
        resourceAttributes: {
          verb: VERBS[request.method] ?? 'get',
          version: 'v1',
          resource: 'nodes',
          subresource,
          name: nodeName,
        },
      },
    });
    return answer.status?.allowed ?? false;
  }

  return {
    async authorize(request) {
      if (await onlyApiServer(request)) return true;
      for (const subresource of nodeSubresources(request.path)) {
        const key = JSON.stringify([request.user.name, request.user.groups, request.method, subresource]);
        if (await allowed.get(key, () => review(request, subresource))) return true;
      }
      return false;
    },
    authenticate: (token) =>
      users.get(token, async () => {
        const answer = await client
          .resource(resources.tokenReviews)
          .create({ metadata: {}, spec: { token } });
        const { status } = answer;
        if (status?.authenticated !== true || status.user === undefined) return undefined;
        return { name: status.user.username ?? '', groups: status.user.groups ?? [] };
      }),
  };
}

class AnswerCache<T> {
  readonly #clock: Clock;
  readonly #answers = new Map<string, { readonly value: T; readonly untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async get(key: string, ask: () => Promise<T>): Promise<T> {
    const held = this.#answers.get(key);
    if (held !== undefined && held.untilMs > this.#clock.monotonic()) return held.value;
    const value = await ask();
    this.#answers.delete(key);
    this.#answers.set(key, { value, untilMs: this.#clock.monotonic() + ANSWER_MS });
    if (this.#answers.size > MAX_ANSWERS) this.#answers.delete(this.#answers.keys().next().value ?? '');
    return value;
  }
}
