/**
 * The dozen messages of etcd's API that the store speaks, written and read by hand: field numbers are those of
 * `etcdserverpb/rpc.proto` and `mvccpb/kv.proto`. Source: https://etcd.io/docs/v3.6/dev-guide/api_reference_v3/.
 *
 * A key on the wire is the store's prefix and the key; encoders take whole keys, decoders cut `prefixBytes` off.
 */
import { keyValue } from '../mvcc/version.ts';
import type { Compare, KeyValue, Revision, StoreEvent, Transaction } from '../store.ts';
import { ProtoReader } from './proto-reader.ts';
import { ProtoWriter } from './proto-writer.ts';

/** What a put or a compare needs beside key and value, generously. */
const OPERATION_BYTES = 64;
const COMPARE_TARGET_MOD = 2;
const EVENT_DELETE = 1;

export interface RangeRequest {
  readonly key: string;
  /** '' for the key alone. */
  readonly rangeEnd: string;
  readonly limit: number;
  readonly revision: Revision;
  readonly keysOnly: boolean;
}

export function encodeRange(request: RangeRequest): Buffer {
  const writer = new ProtoWriter();
  writeRange(writer, request);
  return writer.finish();
}

function writeRange(writer: ProtoWriter, request: RangeRequest): void {
  writer.flag(8, request.keysOnly);
  writer.int(4, request.revision);
  writer.int(3, request.limit);
  if (request.rangeEnd !== '') writer.string(2, request.rangeEnd);
  writer.string(1, request.key);
}

export interface RangeResponse {
  readonly revision: Revision;
  readonly kvs: readonly KeyValue[];
  readonly count: number;
}

export function decodeRange(prefixBytes: number): (buffer: Buffer) => RangeResponse {
  return (buffer) => readRange(new ProtoReader(buffer), prefixBytes);
}

function readRange(reader: ProtoReader, prefixBytes: number): RangeResponse {
  let revision = 0;
  let count = 0;
  const kvs: KeyValue[] = [];
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) revision = readHeader(reader.message());
    else if (field === 2) kvs.push(readKeyValue(reader.message(), prefixBytes));
    else if (field === 4) count = reader.int();
    else reader.skip();
  }
  return { revision, kvs, count };
}

/** On failure the transaction reads what the compared keys hold. */
export function encodeTransaction(transaction: Transaction, prefix: string): Buffer {
  const { compare, writes } = transaction;
  let expectedBytes = OPERATION_BYTES;
  for (const { key } of compare) expectedBytes += 2 * (OPERATION_BYTES + prefix.length + key.length);
  for (const write of writes) {
    expectedBytes += OPERATION_BYTES + prefix.length + write.key.length;
    if (write.type === 'put') expectedBytes += write.value.length;
  }
  const writer = new ProtoWriter(expectedBytes);
  for (const { key } of compare.toReversed()) {
    writer.message(3, () => {
      writer.message(1, () =>
        writeRange(writer, { key: prefix + key, rangeEnd: '', limit: 0, revision: 0, keysOnly: false }),
      );
    });
  }
  for (const write of writes.toReversed()) {
    writer.message(2, () => {
      if (write.type === 'delete') writer.message(3, () => writer.string(1, prefix + write.key));
      else {
        writer.message(2, () => {
          if (write.leaseId !== undefined) writer.int64(3, write.leaseId);
          writer.bytes(2, write.value);
          writer.string(1, prefix + write.key);
        });
      }
    });
  }
  for (const each of compare.toReversed()) writeCompare(writer, each, prefix);
  return writer.finish();
}

function writeCompare(writer: ProtoWriter, { key, modRevision }: Compare, prefix: string): void {
  writer.message(1, () => {
    writer.intEvenIfZero(6, modRevision);
    writer.string(3, prefix + key);
    writer.int(2, COMPARE_TARGET_MOD);
  });
}

export interface TransactionResponse {
  readonly revision: Revision;
  readonly succeeded: boolean;
  /** What the reads of a failed transaction found, in order. */
  readonly found: readonly (KeyValue | undefined)[];
}

export function decodeTransaction(prefixBytes: number): (buffer: Buffer) => TransactionResponse {
  return (buffer) => {
    const reader = new ProtoReader(buffer);
    let revision = 0;
    let succeeded = false;
    const found: (KeyValue | undefined)[] = [];
    for (let field = reader.next(); field > 0; field = reader.next()) {
      if (field === 1) revision = readHeader(reader.message());
      else if (field === 2) succeeded = reader.flag();
      else if (field === 3) {
        const operation = reader.message();
        if (operation.next() === 1) found.push(readRange(operation.message(), prefixBytes).kvs[0]);
      } else reader.skip();
    }
    return { revision, succeeded, found };
  };
}

export function encodeCompaction(revision: Revision): Buffer {
  return oneInt(1, revision);
}

export function encodeLeaseGrant(ttlSeconds: number): Buffer {
  return oneInt(1, ttlSeconds);
}

/** For LeaseRevoke and LeaseKeepAlive. */
export function encodeLeaseId(leaseId: string): Buffer {
  const writer = new ProtoWriter();
  writer.int64(1, leaseId);
  return writer.finish();
}

export interface LeaseResponse {
  readonly leaseId: string;
  /** 0 in an answer to LeaseKeepAlive: there is no such lease. */
  readonly ttlSeconds: number;
}

/** Of LeaseGrant and LeaseKeepAlive. */
export function decodeLease(buffer: Buffer): LeaseResponse {
  const reader = new ProtoReader(buffer);
  let leaseId = '0';
  let ttlSeconds = 0;
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 2) leaseId = reader.int64();
    else if (field === 3) ttlSeconds = reader.int();
    else reader.skip();
  }
  return { leaseId, ttlSeconds };
}

export interface StatusResponse {
  readonly revision: Revision;
  readonly version: string;
  readonly sizeBytes: number;
}

export function decodeStatus(buffer: Buffer): StatusResponse {
  const reader = new ProtoReader(buffer);
  let revision = 0;
  let version = '';
  let sizeBytes = 0;
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) revision = readHeader(reader.message());
    else if (field === 2) version = reader.string();
    else if (field === 3) sizeBytes = reader.int();
    else reader.skip();
  }
  return { revision, version, sizeBytes };
}

/** For answers of which only the revision matters. */
export function decodeRevision(buffer: Buffer): Revision {
  const reader = new ProtoReader(buffer);
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) return readHeader(reader.message());
    reader.skip();
  }
  return 0;
}

export interface WatchCreate {
  readonly key: string;
  readonly rangeEnd: string;
  readonly startRevision: Revision;
  readonly previousValues: boolean;
}

export function encodeWatchCreate(request: WatchCreate): Buffer {
  const writer = new ProtoWriter();
  writer.message(1, () => {
    writer.flag(8, true);
    writer.flag(6, request.previousValues);
    writer.flag(4, true);
    writer.int(3, request.startRevision);
    writer.string(2, request.rangeEnd);
    writer.string(1, request.key);
  });
  return writer.finish();
}

export function encodeWatchProgress(): Buffer {
  const writer = new ProtoWriter();
  writer.message(3, () => undefined);
  return writer.finish();
}

/** The id of no watch but of the stream's. */
const EVERY_WATCH = -1;

export interface WatchResponse {
  readonly revision: Revision;
  /** To a request for progress. */
  readonly isAnswer: boolean;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: Revision;
  readonly cancelReason: string;
  /** More of the same delivery follows. */
  readonly fragment: boolean;
  readonly events: readonly StoreEvent[];
}

export function decodeWatch(prefixBytes: number): (buffer: Buffer) => WatchResponse {
  return (buffer) => {
    const reader = new ProtoReader(buffer);
    const events: StoreEvent[] = [];
    const response = {
      revision: 0,
      isAnswer: false,
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: '',
      fragment: false,
      events,
    };
    for (let field = reader.next(); field > 0; field = reader.next()) {
      if (field === 1) response.revision = readHeader(reader.message());
      else if (field === 2) response.isAnswer = reader.int() === EVERY_WATCH;
      else if (field === 3) response.created = reader.flag();
      else if (field === 4) response.canceled = reader.flag();
      else if (field === 5) response.compactRevision = reader.int();
      else if (field === 6) response.cancelReason = reader.string();
      else if (field === 7) response.fragment = reader.flag();
      else if (field === 11) events.push(readEvent(reader.message(), prefixBytes));
      else reader.skip();
    }
    return response;
  };
}

function readEvent(reader: ProtoReader, prefixBytes: number): StoreEvent {
  let type = 0;
  let kv: KeyValue | undefined;
  let previous: KeyValue | undefined;
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) type = reader.int();
    else if (field === 2) kv = readKeyValue(reader.message(), prefixBytes);
    else if (field === 3) previous = readKeyValue(reader.message(), prefixBytes);
    else reader.skip();
  }
  if (kv === undefined) throw new RangeError('etcd sent an event without a key');
  if (type === EVENT_DELETE) return { type: 'delete', key: kv.key, modRevision: kv.modRevision, previous };
  return { type: 'put', kv, previous };
}

const NO_VALUE = Buffer.alloc(0);

function readKeyValue(reader: ProtoReader, prefixBytes: number): KeyValue {
  let key = '';
  let value: Buffer = NO_VALUE;
  let createRevision = 0;
  let modRevision = 0;
  let leaseId: string | undefined;
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 1) key = reader.string(prefixBytes);
    else if (field === 2) createRevision = reader.int();
    else if (field === 3) modRevision = reader.int();
    else if (field === 5) value = reader.bytes();
    else if (field === 6) leaseId = reader.int64();
    else reader.skip();
  }
  return keyValue(key, value, createRevision, modRevision, leaseId === '0' ? undefined : leaseId);
}

function readHeader(reader: ProtoReader): Revision {
  for (let field = reader.next(); field > 0; field = reader.next()) {
    if (field === 3) return reader.int();
    reader.skip();
  }
  return 0;
}

function oneInt(field: number, value: number): Buffer {
  const writer = new ProtoWriter();
  writer.int(field, value);
  return writer.finish();
}
