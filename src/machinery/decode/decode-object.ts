/** From a parsed body to an object of a kind: the first thing that happens to every write. */
import { type KubeObject, parseApiVersion } from '../object.ts';
import type { FieldValidation } from '../request.ts';
import type { StructSchema } from '../schema.ts';
import { badRequest, type StatusError } from '../status-error.ts';
import { decodeBuiltin } from './builtin-decoder.ts';
import { pruneStruct } from './custom-decoder.ts';
import { DecodeContext, DecodeError } from './decode-context.ts';

export interface DecodeOptions {
  /** `Ignore` does not collect problems; `Strict` and `Warn` do, and the caller acts on them. */
  readonly fieldValidation: FieldValidation;
  /** What `parseJson` or `parseYaml` found. */
  readonly duplicates?: readonly string[];
}

export interface DecodedObject {
  /** New throughout: shares nothing with the input but frozen zero values among each other. */
  readonly object: KubeObject;
  /** `unknown field "spec.foo"`, `duplicate field "spec.replicas"`; at most 100. */
  readonly problems: readonly string[];
}

/**
 * Gives the object in exactly the shape in which Go prints it after decoding: fields in schema order, unknown
 * fields dropped, empty values left out or printed as the Go types say, quantities and times in canonical form.
 * Defaults are not applied. Custom resources (`schema.name === ''`) are pruned and otherwise left alone.
 *
 * @throws StatusError 400 with the message kube-apiserver answers when a value has the wrong type.
 */
export function decodeObject(schema: StructSchema, input: unknown, options: DecodeOptions): DecodedObject {
  const { fieldValidation, duplicates = [] } = options;
  const context = new DecodeContext(
    fieldValidation !== 'Ignore',
    duplicates.filter((entry) => !isFromYaml(entry)),
  );
  try {
    const object = decodeRoot(schema, input, context);
    context.reportOtherDuplicates();
    return {
      // The schema of a kind has apiVersion, kind and metadata; that the body does too, the caller checks.
      object: object as unknown as KubeObject,
      problems: context.problems === undefined ? [] : [...duplicates.filter(isFromYaml), ...context.problems],
    };
  } catch (error) {
    throw error instanceof DecodeError ? cannotBeHandled(schema, input, error) : error;
  }
}

function decodeRoot(schema: StructSchema, input: unknown, context: DecodeContext): Record<string, unknown> {
  if (schema.name !== '') return decodeBuiltin(schema, input, context);
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw context.mismatch(input, 'map[string]interface {}');
  }
  return pruneStruct(schema, input as Readonly<Record<string, unknown>>, context);
}

const isFromYaml = (entry: string): boolean => entry.startsWith('yaml: ');

const kindName = (schema: StructSchema): string => schema.name.slice(schema.name.lastIndexOf('.') + 1);

function cannotBeHandled(schema: StructSchema, input: unknown, error: DecodeError): StatusError {
  const { apiVersion, kind } = (typeof input === 'object' && input !== null ? input : {}) as {
    readonly apiVersion?: unknown;
    readonly kind?: unknown;
  };
  const { version } = parseApiVersion(typeof apiVersion === 'string' ? apiVersion : '');
  const own = kindName(schema);
  const said = typeof kind === 'string' && kind !== '' ? kind : own;
  const target = own === '' ? said : own;
  return badRequest(
    `${said} in version ${JSON.stringify(version)} cannot be handled as a ${target}: ${error.message}`,
  );
}

/**
 * What kube-apiserver answers under `fieldValidation=Strict` when a decode had problems. With the object, the
 * message starts as it does for every body: `Deployment in version "v1" cannot be handled as a Deployment: `.
 */
export function strictDecodingError(
  problems: readonly string[],
  object?: { readonly apiVersion: string; readonly kind: string },
): StatusError {
  const message = strictDecodingMessage(problems);
  if (object === undefined) return badRequest(message);
  const { version } = parseApiVersion(object.apiVersion);
  return badRequest(
    `${object.kind} in version ${JSON.stringify(version)} cannot be handled as a ${object.kind}: ${message}`,
  );
}

export const strictDecodingMessage = (problems: readonly string[]): string =>
  `strict decoding error: ${problems.join(', ')}`;

/** The `Warning` header texts under `fieldValidation=Warn`: a YAML problem becomes one per line. */
export function problemWarnings(problems: readonly string[]): readonly string[] {
  return problems.flatMap((problem) =>
    problem.startsWith('yaml: unmarshal errors:\n')
      ? problem
          .split('\n')
          .slice(1)
          .map((line) => line.trim())
      : [problem],
  );
}
