/** The environment of a container. Error texts are upstream's: they become `CreateContainerConfigError` messages. */
import type { coreV1 } from '#api';
import { isNotFound } from '#machinery';
import type { ReferencedObjects } from '../objects/referenced-objects.ts';
import { type Container, type Pod, podNamespace, podUid } from '../pods/pod-spec.ts';
import { type DownwardFacts, podFieldValue, resourceFieldValue } from './downward.ts';
import { expand } from './expansion.ts';
import { serviceVariables, visibleServices } from './service-environment.ts';

export type Environment = ReadonlyMap<string, string>;

export interface EnvironmentInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly objects: ReferencedObjects;
  readonly services: readonly coreV1.Service[];
  readonly facts: DownwardFacts;
}

/** Own variables first, in the order they are declared, then those of services. @throws Error, StatusError */
export async function containerEnvironment(input: EnvironmentInput): Promise<Environment> {
  const { pod, container } = input;
  const links = pod.spec.enableServiceLinks ?? true;
  const fromServices = serviceVariables(visibleServices(input.services, podNamespace(pod), links));
  const env = new Map<string, string>();
  for (const source of container.envFrom ?? []) await addAll(input, source, env);
  for (const variable of container.env ?? []) {
    const value = await valueOf(input, variable, (name) => env.get(name) ?? fromServices[name]);
    if (value !== undefined) env.set(variable.name, value);
  }
  for (const [name, value] of Object.entries(fromServices)) if (!env.has(name)) env.set(name, value);
  return env;
}

async function addAll(
  input: EnvironmentInput,
  source: coreV1.EnvFromSource,
  env: Map<string, string>,
): Promise<void> {
  const prefix = source.prefix ?? '';
  const { configMapRef, secretRef } = source;
  if (configMapRef !== undefined) {
    const found = await optionally(configMapRef.optional, readConfigMap(input, configMapRef.name ?? ''));
    for (const [key, value] of Object.entries(found?.data ?? {})) env.set(prefix + key, value);
  } else if (secretRef !== undefined) {
    const found = await optionally(secretRef.optional, readSecret(input, secretRef.name ?? ''));
    for (const [key, value] of Object.entries(found?.data ?? {})) env.set(prefix + key, decode(value));
  }
}

/** Undefined: the variable is optional and its source is missing. */
async function valueOf(
  input: EnvironmentInput,
  { value, valueFrom }: coreV1.EnvVar,
  known: (name: string) => string | undefined,
): Promise<string | undefined> {
  if (value !== undefined && value !== '') return expand(value, known);
  if (valueFrom === undefined) return '';
  const { pod, container, facts } = input;
  if (valueFrom.fieldRef !== undefined) return podFieldValue(valueFrom.fieldRef.fieldPath, pod, facts);
  if (valueFrom.resourceFieldRef !== undefined) {
    return resourceFieldValue(valueFrom.resourceFieldRef, pod, container, facts);
  }
  if (valueFrom.configMapKeyRef !== undefined) {
    const { name = '', key, optional } = valueFrom.configMapKeyRef;
    const found = await optionally(optional, readConfigMap(input, name));
    const text = found?.data?.[key];
    if (text !== undefined || optional === true) return text;
    throw new Error(`couldn't find key ${key} in ConfigMap ${podNamespace(pod)}/${name}`);
  }
  if (valueFrom.secretKeyRef !== undefined) {
    const { name = '', key, optional } = valueFrom.secretKeyRef;
    const found = await optionally(optional, readSecret(input, name));
    const text = found?.data?.[key];
    if (text !== undefined) return decode(text);
    if (optional === true) return undefined;
    throw new Error(`couldn't find key ${key} in Secret ${podNamespace(pod)}/${name}`);
  }
  return '';
}

const readConfigMap = ({ objects, pod }: EnvironmentInput, name: string): Promise<coreV1.ConfigMap> =>
  objects.configMap(podNamespace(pod), name, podUid(pod));
const readSecret = ({ objects, pod }: EnvironmentInput, name: string): Promise<coreV1.Secret> =>
  objects.secret(podNamespace(pod), name, podUid(pod));

async function optionally<T>(optional: boolean | undefined, asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (e) {
    if (optional === true && isNotFound(e)) return undefined;
    throw e;
  }
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString();
