/**
 * Objects as `application/vnd.kubernetes.protobuf`: four bytes of magic, then a `runtime.Unknown` that names the
 * kind and holds the message; lists and watch frames made from objects that are encoded already.
 *
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
 */
import { apiVersionOf, type GroupVersionKind, type KubeObject } from '../object.ts';
import type { StructSchema } from '../schema.ts';
import { readMessage } from './decoder.ts';
import { nested, tagOf, writeMessage } from './encoder.ts';
import { ProtobufError, WireReader, WireType } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

const MAGIC = Buffer.from('k8s\0', 'latin1');
const TAG = [0, 1, 2, 3, 4].map((number) => tagOf(number, WireType.length));
const [, TAG1 = 0, TAG2 = 0, TAG3 = 0, TAG4 = 0] = TAG;
const REMAINING_TAG = tagOf(4, WireType.varint);

/** Encoding is synchronous and never nests at this level, so one writer serves all. */
const shared = new WireWriter();

/** Around the message that `body` writes. */
function envelope(gvk: GroupVersionKind, body: (writer: WireWriter) => void): Buffer {
  shared.reset();
  // contentType, contentEncoding: empty, and written all the same
  shared.byte(0);
  shared.byte(TAG4);
  shared.byte(0);
  shared.byte(TAG3);
  nested(shared, () => body(shared));
  shared.byte(TAG2);
  nested(shared, () => {
    shared.string(gvk.kind);
    shared.byte(TAG2);
    shared.string(apiVersionOf(gvk));
    shared.byte(TAG1);
  });
  shared.byte(TAG1);
  shared.raw(MAGIC);
  return shared.finish();
}

/** An object with its envelope, byte for byte as Go writes it. Its `apiVersion` and `kind` come from `gvk`. */
export function encodeProtobuf(gvk: GroupVersionKind, schema: StructSchema, object: object): Buffer {
  return envelope(gvk, (writer) => writeMessage(writer, schema, object as Readonly<Record<string, unknown>>));
}

/** The message alone, as it stands in a list: `decodeProtobuf(encodeProtobuf(…)).raw`. */
export function encodeProtobufMessage(schema: StructSchema, object: object): Buffer {
  shared.reset();
  writeMessage(shared, schema, object as Readonly<Record<string, unknown>>);
  return shared.finish();
}

export interface ProtobufEnvelope {
  readonly apiVersion: string;
  readonly kind: string;
  /** The message; a view into the bytes given. */
  readonly raw: Buffer;
}

export const hasProtobufMagic = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 && MAGIC.equals(bytes.subarray(0, 4));

/** @throws ProtobufError when the magic is missing or the bytes are cut short. */
export function decodeProtobuf(bytes: Uint8Array): ProtobufEnvelope {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!hasProtobufMagic(buffer)) {
    throw new ProtobufError(
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    );
  }
  const reader = new WireReader(buffer.subarray(4));
  let apiVersion = '';
  let kind = '';
  let raw = buffer.subarray(0, 0);
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === TAG1) {
      const outer = reader.enter();
      while (!reader.done) {
        const typeTag = reader.varint();
        if (typeTag === TAG1) apiVersion = reader.string();
        else if (typeTag === TAG2) kind = reader.string();
        else reader.skip(typeTag & 7);
      }
      reader.leave(outer);
    } else if (tag === TAG2) raw = reader.bytes();
    else reader.skip(tag & 7);
  }
  return { apiVersion, kind, raw };
}

/**
 * The object in the JSON shape Go would print, `apiVersion` and `kind` as the envelope has them (left out when it
 * has none). @throws ProtobufError
 */
export function decodeProtobufObject(schema: StructSchema, bytes: Uint8Array): KubeObject {
  const { apiVersion, kind, raw } = decodeProtobuf(bytes);
  const message = readMessage(new WireReader(raw), schema);
  // TypeMeta is not on the wire, so these come first here as they do in Go's JSON. What the kind's schema
  // says is metadata is there; what the envelope says the kind is, the caller checks.
  return {
    ...(kind === '' ? {} : { kind }),
    ...(apiVersion === '' ? {} : { apiVersion }),
    ...message,
  } as unknown as KubeObject;
}

/** A message without envelope, in the JSON shape Go would print. @throws ProtobufError */
export function decodeProtobufMessage(schema: StructSchema, bytes: Uint8Array): Record<string, unknown> {
  return readMessage(new WireReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)), schema);
}

export interface ProtobufListMeta {
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

function writeListMeta(writer: WireWriter, meta: ProtobufListMeta): void {
  nested(writer, () => {
    if (meta.remainingItemCount !== undefined) {
      writer.signed(meta.remainingItemCount);
      writer.byte(REMAINING_TAG);
    }
    writer.string(meta.continue ?? '');
    writer.byte(TAG3);
    writer.string(meta.resourceVersion ?? '');
    writer.byte(TAG2);
    // selfLink
    writer.byte(0);
    writer.byte(TAG1);
  });
  writer.byte(TAG1);
}

const varintSize = (value: number): number => {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
};

/** A small varint at a place of its own. */
function putVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  let place = at;
  while (rest >= 0x80) {
    target[place++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[place++] = rest;
  return place;
}

/**
 * A list of objects that are encoded already: `items` are messages without envelope (`decodeProtobuf(…).raw`).
 * They are copied once, into a buffer of the right size. `gvk` is the list's (`PodList`).
 */
export function encodeProtobufList(
  gvk: GroupVersionKind,
  listMeta: ProtobufListMeta,
  items: readonly Uint8Array[],
): Buffer {
  shared.reset();
  writeListMeta(shared, listMeta);
  const head = shared.finish();
  let rawSize = head.length;
  for (const item of items) rawSize += 1 + varintSize(item.length) + item.length;
  const empty = envelope(gvk, () => {});
  // The envelope of an empty message ends in: tag, length 0, contentEncoding, contentType.
  const before = empty.length - 5;
  const out = Buffer.allocUnsafeSlow(before + varintSize(rawSize) + rawSize + 4);
  empty.copy(out, 0, 0, before);
  let at = putVarint(out, before, rawSize);
  at += head.copy(out, at);
  for (const item of items) {
    out[at++] = TAG2;
    at = putVarint(out, at, item.length);
    out.set(item, at);
    at += item.length;
  }
  empty.copy(out, at, empty.length - 4);
  return out;
}

/**
 * One frame of a watch: four bytes of length (big endian), then a `WatchEvent` without envelope, whose object is
 * the whole envelope of the object.
 */
export function encodeProtobufWatchEvent(type: string, objectEnvelope: Uint8Array): Buffer {
  shared.reset();
  nested(shared, () => {
    shared.bytes(objectEnvelope);
    shared.byte(TAG1);
  });
  shared.byte(TAG2);
  shared.string(type);
  shared.byte(TAG1);
  const size = shared.written;
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(size);
  shared.raw(length);
  return shared.finish();
}
