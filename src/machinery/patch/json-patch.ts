/**
 * JSON Patch (RFC 6902) as the API server takes it. It is laxer than the RFC in three ways that clients use:
 * negative indices count from the end, `replace` of a missing object member adds it, and `test` of a missing
 * member succeeds against null.
 *
 * The document is never mutated: a container is copied the first time an operation writes into it and is
 * written in place from then on, so a patch of n operations copies each touched container once.
 */
import { cloneJson, isJsonObject, type JsonObject, jsonTypeName, ownValue, setOwn } from './json-value.ts';
import { patchTooLarge, undecodablePatch, unprocessablePatch } from './patch-errors.ts';

/** More operations than this in one patch are refused with 413. */
export const MAX_JSON_PATCH_OPERATIONS = 10_000;
/** What `copy` operations of one patch may add to the document, in bytes of JSON; the limit of a request body. */
export const MAX_JSON_PATCH_COPY_BYTES = 3 * 1024 * 1024;

type Container = Record<string, unknown> | unknown[];

/**
 * @returns the patched document; parts that no operation touched are shared with `doc`.
 * @throws StatusError 400 when `patch` is not a list of operations, 413 when it is too long, 422 when an
 *   operation does not apply or a `test` fails.
 */
export function applyJsonPatch(doc: unknown, patch: unknown): unknown {
  if (patch === null || patch === undefined) return doc;
  const operations = decodeOperations(patch);
  if (operations.length > MAX_JSON_PATCH_OPERATIONS) {
    throw patchTooLarge(
      `The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${operations.length}`,
    );
  }
  const target = new PatchTarget(doc);
  for (const operation of operations) applyOperation(target, operation);
  return target.root;
}

/** Members that no operation has, worded for strict field validation: `json patch unknown field "[0].foo"`. */
export function unknownJsonPatchFields(patch: unknown): readonly string[] {
  if (!Array.isArray(patch)) return [];
  return patch.flatMap((operation, i) =>
    isJsonObject(operation)
      ? Object.keys(operation)
          .filter((key) => !OPERATION_MEMBERS.has(key))
          .map((key) => `json patch unknown field "[${i}].${key}"`)
      : [],
  );
}

const OPERATION_MEMBERS: ReadonlySet<string> = new Set(['op', 'path', 'from', 'value']);

function decodeOperations(patch: unknown): readonly JsonObject[] {
  if (!Array.isArray(patch)) {
    throw undecodablePatch(
      `json: cannot unmarshal ${jsonTypeName(patch)} into Go value of type []handlers.jsonPatchOp`,
    );
  }
  return patch.map((operation: unknown) => {
    if (operation === null) return {};
    if (!isJsonObject(operation)) {
      throw undecodablePatch(
        `json: cannot unmarshal ${jsonTypeName(operation)} into Go value of type handlers.jsonPatchOp`,
      );
    }
    for (const member of ['op', 'path', 'from']) {
      const value = ownValue(operation, member);
      if (value !== undefined && value !== null && typeof value !== 'string') {
        throw undecodablePatch(
          `json: cannot unmarshal ${jsonTypeName(value)} into Go struct field jsonPatchOp.${member} of type string`,
        );
      }
    }
    return operation;
  });
}

/** A place in the document: the container and the key in it. */
interface Location {
  readonly container: Container;
  readonly key: string;
}

class PatchTarget {
  root: unknown;
  copiedBytes = 0;
  /** Containers made by this patch, which may be written in place. */
  readonly #owned = new WeakSet<object>();

  constructor(root: unknown) {
    this.root = root;
  }

  /** Where `pointer` leads, its containers ready to be written when `forWriting`. */
  locate(pointer: string, forWriting: boolean): Location | undefined {
    const parts = pointer.split('/').slice(1).map(decodePointerPart);
    const key = parts.pop();
    if (key === undefined) return undefined;
    let container = this.#enter(this.root, forWriting);
    if (container === undefined) return undefined;
    this.root = container;
    for (const part of parts) {
      const child = this.#enter(valueAt(container, part), forWriting);
      if (child === undefined) return undefined;
      if (forWriting) assign(container, part, child);
      container = child;
    }
    return { container, key };
  }

  #enter(value: unknown, forWriting: boolean): Container | undefined {
    if (typeof value !== 'object' || value === null) return undefined;
    if (!forWriting || this.#owned.has(value)) return value as Container;
    const copy: Container = Array.isArray(value) ? [...value] : { ...value };
    this.#owned.add(copy);
    return copy;
  }
}

function applyOperation(target: PatchTarget, operation: JsonObject): void {
  const op = ownValue(operation, 'op');
  switch (op) {
    case 'add':
      return add(target, memberText(operation, 'path', op), ownValue(operation, 'value') ?? null);
    case 'remove':
      return remove(target, memberText(operation, 'path', op));
    case 'replace':
      return replace(target, memberText(operation, 'path', op), ownValue(operation, 'value') ?? null);
    case 'test':
      return test(target, memberText(operation, 'path', op), ownValue(operation, 'value') ?? null);
    case 'move': {
      const from = memberText(operation, 'from', op);
      const value = read(target, from);
      remove(target, from);
      return add(target, memberText(operation, 'path', op), value ?? null);
    }
    case 'copy': {
      const value = read(target, memberText(operation, 'from', op)) ?? null;
      target.copiedBytes += JSON.stringify(value).length;
      if (target.copiedBytes > MAX_JSON_PATCH_COPY_BYTES) {
        throw unprocessablePatch(
          `Unable to complete the copy, the accumulated size increase of copy is ${target.copiedBytes}, exceeding the limit ${MAX_JSON_PATCH_COPY_BYTES}`,
        );
      }
      return add(target, memberText(operation, 'path', op), cloneJson(value));
    }
    default:
      throw unprocessablePatch(`Unexpected kind: ${typeof op === 'string' ? op : 'unknown'}`);
  }
}

function memberText(operation: JsonObject, member: 'path' | 'from', op: string): string {
  const value = ownValue(operation, member);
  if (typeof value !== 'string') throw unprocessablePatch(`${op} operation has no ${member}`);
  return value;
}

function located(target: PatchTarget, pointer: string, forWriting: boolean): Location {
  const location = target.locate(pointer, forWriting);
  if (location === undefined) throw unprocessablePatch(`doc is missing path: "${pointer}"`);
  return location;
}

function add(target: PatchTarget, pointer: string, value: unknown): void {
  const { container, key } = located(target, pointer, true);
  if (!Array.isArray(container)) {
    setOwn(container, key, value);
  } else if (key === '-') {
    container.push(value);
  } else {
    container.splice(arrayIndex(key, container.length + 1), 0, value);
  }
}

function remove(target: PatchTarget, pointer: string): void {
  const { container, key } = located(target, pointer, true);
  if (Array.isArray(container)) {
    container.splice(arrayIndex(key, container.length), 1);
  } else if (Object.hasOwn(container, key)) {
    delete container[key];
  } else {
    throw unprocessablePatch(`Unable to remove nonexistent key: ${key}`);
  }
}

function replace(target: PatchTarget, pointer: string, value: unknown): void {
  if (pointer === '') {
    if (typeof value !== 'object' || value === null) {
      throw unprocessablePatch('replace operation value must be object or array');
    }
    target.root = value;
    return;
  }
  const { container, key } = located(target, pointer, true);
  if (Array.isArray(container)) container[arrayIndex(key, container.length)] = value;
  else setOwn(container, key, value);
}

function read(target: PatchTarget, pointer: string): unknown {
  const { container, key } = located(target, pointer, false);
  return Array.isArray(container) ? container[arrayIndex(key, container.length)] : ownValue(container, key);
}

function test(target: PatchTarget, pointer: string, expected: unknown): void {
  const actual = pointer === '' ? target.root : read(target, pointer);
  if (!sameJson(actual ?? null, expected)) throw unprocessablePatch(`testing value ${pointer} failed`);
}

/** Index into a list of `length` items; negative ones count from its end. */
function arrayIndex(key: string, length: number): number {
  if (!/^[+-]?\d+$/.test(key)) throw unprocessablePatch(`value was not a proper array index: '${key}'`);
  const index = Number(key);
  if (index >= length || index < -length)
    throw unprocessablePatch(`Unable to access invalid index: ${index}`);
  return index < 0 ? index + length : index;
}

function valueAt(container: Container, key: string): unknown {
  if (!Array.isArray(container)) return ownValue(container, key);
  return /^[+-]?\d+$/.test(key) ? container.at(Number(key)) : undefined;
}

function assign(container: Container, key: string, value: unknown): void {
  if (Array.isArray(container)) container[arrayIndex(key, container.length)] = value;
  else setOwn(container, key, value);
}

/** RFC 6901: `~1` is a slash, `~0` a tilde. */
function decodePointerPart(part: string): string {
  return part.replace(/~[01]/g, (escape) => (escape === '~1' ? '/' : '~'));
}

function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  );
}
