/**
 * Kubeconfig files: writing the cluster's own, and merging its context into the user's without touching the rest.
 * The user's file is edited as a YAML document, so comments, order and unknown fields stay.
 */
import { parseDocument, stringify } from 'yaml';
import type { KeyAndCertificate } from './pki.ts';

export interface KubeconfigEntry {
  /** Name of the cluster, user and context in the file, e.g. `k8ts`. */
  readonly name: string;
  readonly server: string;
  readonly caPem: string;
  readonly client: KeyAndCertificate;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function parts({ name, server, caPem, client }: KubeconfigEntry) {
  return {
    cluster: { name, cluster: { server, 'certificate-authority-data': base64(caPem) } },
    user: {
      name,
      user: { 'client-certificate-data': base64(client.certPem), 'client-key-data': base64(client.keyPem) },
    },
    context: { name, context: { cluster: name, user: name } },
  };
}

export function renderKubeconfig(entry: KubeconfigEntry): string {
  const { cluster, user, context } = parts(entry);
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': entry.name,
    clusters: [cluster],
    users: [user],
    contexts: [context],
    preferences: {},
  });
}

/** The user's kubeconfig cannot be understood; it is left as it is. */
export class KubeconfigParseError extends Error {
  constructor(detail: string) {
    super(`the kubeconfig is not valid YAML, so nothing was merged into it: ${detail}`);
    this.name = 'KubeconfigParseError';
  }
}

function parseUserFile(text: string) {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new KubeconfigParseError(error.message);
  const content: unknown = document.toJS();
  if (content !== null && (typeof content !== 'object' || Array.isArray(content))) {
    throw new KubeconfigParseError('the top level is not a mapping');
  }
  return document;
}

const LISTS = { clusters: 'cluster', users: 'user', contexts: 'context' } as const;

/**
 * Adds or replaces the entry and makes it current.
 * @throws KubeconfigParseError
 */
export function mergeKubeconfig(existing: string | undefined, entry: KubeconfigEntry): string {
  if (existing === undefined || existing.trim() === '') return renderKubeconfig(entry);
  const document = parseUserFile(existing);
  const added = parts(entry);
  for (const [list, field] of Object.entries(LISTS) as [
    keyof typeof LISTS,
    'cluster' | 'user' | 'context',
  ][]) {
    const items = (document.toJS() as Record<string, unknown>)[list];
    const named = Array.isArray(items) ? (items as { name?: string }[]) : undefined;
    const at = named?.findIndex((item) => item?.name === entry.name) ?? -1;
    if (named === undefined) document.set(list, document.createNode([added[field]]));
    else if (at < 0) document.addIn([list], document.createNode(added[field]));
    else document.setIn([list, at], document.createNode(added[field]));
  }
  document.set('current-context', entry.name);
  if (!document.has('apiVersion')) document.set('apiVersion', 'v1');
  if (!document.has('kind')) document.set('kind', 'Config');
  return document.toString();
}

/** Takes the entry out again; the current context is unset when it was this one. */
export function removeFromKubeconfig(existing: string, name: string): string {
  const document = parseUserFile(existing);
  for (const list of Object.keys(LISTS)) {
    const items = (document.toJS() as Record<string, unknown> | null)?.[list];
    if (!Array.isArray(items)) continue;
    const at = (items as { name?: string }[]).findIndex((item) => item?.name === name);
    if (at >= 0) document.deleteIn([list, at]);
  }
  if (document.get('current-context') === name) document.set('current-context', '');
  return document.toString();
}
