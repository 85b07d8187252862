/** The files of configMap, secret, downwardAPI and projected volumes. Error texts are upstream's. */
import type { coreV1 } from '#api';
import { isNotFound } from '#machinery';
import { type DownwardFacts, podFieldValue, resourceFieldValue } from '../environment/downward.ts';
import type { ReferencedObjects } from '../objects/referenced-objects.ts';
import { type Pod, podNamespace, podUid } from '../pods/pod-spec.ts';
import type { PayloadFile } from './atomic-writer.ts';
import { commonUser } from './fs-group.ts';
import type { TokenSource } from './token-source.ts';

export const DEFAULT_MODE = 0o644;
const TOKEN_MODE = 0o600;

export interface PayloadContext {
  readonly pod: Pod;
  readonly objects: ReferencedObjects;
  readonly tokens: TokenSource;
  readonly facts: DownwardFacts;
}

export interface BuiltPayload {
  readonly files: Map<string, PayloadFile>;
  /** Wall time at which a token in it should be renewed. */
  readonly refreshAtMs: number | undefined;
}

/** Undefined: the volume is not made of API objects. @throws Error, StatusError */
export async function volumePayload(
  volume: coreV1.Volume,
  context: PayloadContext,
): Promise<BuiltPayload | undefined> {
  const files = new Map<string, PayloadFile>();
  const { configMap, secret, downwardAPI, projected } = volume;
  let refreshAtMs: number | undefined;
  if (configMap !== undefined) {
    await addConfigMap(context, configMap, configMap.defaultMode ?? DEFAULT_MODE, files);
  } else if (secret !== undefined) {
    const { secretName, ...rest } = secret;
    await addSecret(context, { name: secretName, ...rest }, secret.defaultMode ?? DEFAULT_MODE, files);
  } else if (downwardAPI !== undefined) {
    addDownward(context, downwardAPI.items ?? [], downwardAPI.defaultMode ?? DEFAULT_MODE, files);
  } else if (projected !== undefined) {
    refreshAtMs = await addProjected(context, projected, files);
  } else {
    return undefined;
  }
  return { files, refreshAtMs };
}

async function addProjected(
  context: PayloadContext,
  projected: coreV1.ProjectedVolumeSource,
  files: Map<string, PayloadFile>,
): Promise<number | undefined> {
  const mode = projected.defaultMode ?? DEFAULT_MODE;
  let refreshAtMs: number | undefined;
  const failures: Error[] = [];
  for (const source of projected.sources ?? []) {
    try {
      if (source.configMap !== undefined) await addConfigMap(context, source.configMap, mode, files);
      else if (source.secret !== undefined) await addSecret(context, source.secret, mode, files);
      else if (source.downwardAPI !== undefined)
        addDownward(context, source.downwardAPI.items ?? [], mode, files);
      else if (source.serviceAccountToken !== undefined) {
        const at = await addToken(context, source.serviceAccountToken, mode, files);
        refreshAtMs = Math.min(refreshAtMs ?? at, at);
      } else throw new Error('projected volume source is not supported on this node');
    } catch (e) {
      failures.push(e as Error);
    }
  }
  if (failures.length === 1 && failures[0] !== undefined) throw failures[0];
  if (failures.length > 1) throw new Error(`[${failures.map(({ message }) => message).join(', ')}]`);
  return refreshAtMs;
}

interface KeyedSource {
  readonly name?: string;
  readonly items?: readonly coreV1.KeyToPath[];
  readonly optional?: boolean;
}

async function addConfigMap(
  { objects, pod }: PayloadContext,
  source: KeyedSource,
  mode: number,
  files: Map<string, PayloadFile>,
): Promise<void> {
  const found = await optionally(
    source,
    objects.configMap(podNamespace(pod), source.name ?? '', podUid(pod)),
  );
  const data = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(found?.data ?? {})) data.set(key, Buffer.from(text));
  for (const [key, text] of Object.entries(found?.binaryData ?? {}))
    data.set(key, Buffer.from(text, 'base64'));
  addKeys('config', source, data, mode, files);
}

async function addSecret(
  { objects, pod }: PayloadContext,
  source: KeyedSource,
  mode: number,
  files: Map<string, PayloadFile>,
): Promise<void> {
  const found = await optionally(source, objects.secret(podNamespace(pod), source.name ?? '', podUid(pod)));
  const data = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(found?.data ?? {})) data.set(key, Buffer.from(text, 'base64'));
  addKeys('secret', source, data, mode, files);
}

async function optionally<T>(source: KeyedSource, asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (e) {
    if (source.optional === true && isNotFound(e)) return undefined;
    throw e;
  }
}

function addKeys(
  what: 'config' | 'secret',
  { items, optional }: KeyedSource,
  data: ReadonlyMap<string, Buffer>,
  mode: number,
  files: Map<string, PayloadFile>,
): void {
  if (items === undefined || items.length === 0) {
    for (const [key, content] of data) files.set(key, { data: content, mode });
    return;
  }
  for (const item of items) {
    const content = data.get(item.key);
    if (content !== undefined) files.set(item.path, { data: content, mode: item.mode ?? mode });
    else if (optional !== true) throw new Error(`references non-existent ${what} key: ${item.key}`);
  }
}

function addDownward(
  { pod, facts }: PayloadContext,
  items: readonly coreV1.DownwardAPIVolumeFile[],
  mode: number,
  files: Map<string, PayloadFile>,
): void {
  for (const { path, fieldRef, resourceFieldRef, mode: own } of items) {
    const text =
      fieldRef !== undefined
        ? podFieldValue(fieldRef.fieldPath, pod, facts)
        : resourceFieldRef !== undefined
          ? resourceFieldValue(resourceFieldRef, pod, undefined, facts)
          : '';
    files.set(path, { data: Buffer.from(text), mode: own ?? mode });
  }
}

async function addToken(
  { pod, tokens }: PayloadContext,
  source: coreV1.ServiceAccountTokenProjection,
  mode: number,
  files: Map<string, PayloadFile>,
): Promise<number> {
  const token = await tokens.get(pod, source);
  const uid = commonUser(pod);
  const restricted = uid !== undefined || pod.spec.securityContext?.fsGroup !== undefined;
  files.set(source.path, {
    data: Buffer.from(token.text),
    mode: restricted ? TOKEN_MODE : mode,
    ...(uid === undefined ? {} : { uid }),
  });
  return token.refreshAtMs;
}
