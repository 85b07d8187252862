/** Fields that others manage and an apply without force would change. */
import { StatusError } from '../status-error.ts';
import { compareText } from './compare-text.ts';
import { type FieldTree, forEachMember } from './field-tree.ts';
import type { Manager, Managers } from './managers.ts';
import { printPath } from './path-element.ts';

interface Conflict {
  readonly id: string;
  readonly manager: string;
  readonly path: string;
}

/** @param conflicts what each manager would lose, by manager id. */
export function applyConflict(conflicts: ReadonlyMap<string, FieldTree>, managers: Managers): StatusError {
  const found: Conflict[] = [];
  for (const [id, set] of [...conflicts].sort(([a], [b]) => compareText(a, b))) {
    const manager = managers.get(id);
    const name = manager === undefined ? JSON.stringify(id) : printManager(manager);
    forEachMember(set, (path) => found.push({ id, manager: name, path: printPath(path) }));
  }
  return new StatusError(409, 'Conflict', conflictMessage(found), {
    causes: found.map((conflict) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${conflict.manager}`,
      field: conflict.path,
    })),
  });
}

function conflictMessage(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (first !== undefined && conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${first.manager}: ${first.path}`;
  }
  const lines: string[] = [];
  let current: string | undefined;
  for (const conflict of conflicts) {
    if (conflict.id !== current) lines.push(`conflicts with ${conflict.manager}:`);
    current = conflict.id;
    lines.push(`- ${conflict.path}`);
  }
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}

function printManager(manager: Manager): string {
  const name = JSON.stringify(manager.manager);
  const subresource = manager.subresource === undefined ? '' : ` with subresource "${manager.subresource}"`;
  const version = manager.operation === 'Update' ? ` using ${manager.apiVersion}` : '';
  return name + subresource + version;
}
