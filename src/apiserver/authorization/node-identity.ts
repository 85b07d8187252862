import type { UserInfo } from '#machinery';

const USER_PREFIX = 'system:node:';

/** The name of the node that a user is: `system:node:<name>` in the group `system:nodes`; undefined: no node. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.name.startsWith(USER_PREFIX) || !user.groups.includes('system:nodes')) return undefined;
  return user.name.slice(USER_PREFIX.length);
}
