/**
 * RBAC rules in one line, so that the default policy reads as a table:
 *
 *     read update on apps,extensions: deployments deployments/status
 *     update on core: configmaps named cluster-info
 *     get on paths: /healthz /livez
 *
 * `core` is the group with the empty name. `read` stands for get list watch, `write` for create delete
 * deletecollection patch update.
 */
import type { rbacV1 } from '#api';

const VERB_SETS: Readonly<Record<string, readonly string[]>> = {
  read: ['get', 'list', 'watch'],
  write: ['create', 'delete', 'deletecollection', 'patch', 'update'],
};

/** @throws Error when the line is not in the notation: the table is part of the program. */
export function parseRule(line: string): rbacV1.PolicyRule {
  const match =
    /^(?<verbs>[\w* ]+) on (?<groups>[\w.*,-]+): (?<things>\S+(?: (?!named )\S+)*)(?: named (?<names>.+))?$/.exec(
      line,
    );
  if (match?.groups === undefined) throw new Error(`not an RBAC rule: ${line}`);
  const { verbs = '', groups = '', things = '', names } = match.groups;
  const expandedVerbs = verbs
    .split(' ')
    .flatMap((verb) => VERB_SETS[verb] ?? [verb])
    .sort();
  if (groups === 'paths') return { verbs: expandedVerbs, nonResourceURLs: things.split(' ') };
  return {
    verbs: expandedVerbs,
    apiGroups: groups.split(',').map((group) => (group === 'core' ? '' : group)),
    resources: things.split(' '),
    ...(names === undefined ? {} : { resourceNames: names.split(' ') }),
  };
}
