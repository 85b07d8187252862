import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { StoreUnavailableError } from '../store.ts';

/** What an error of etcd means for the caller. `unavailable`: a write may have happened; a read may be asked elsewhere. */
export type EtcdFailure =
  | 'compacted'
  | 'future-revision'
  | 'lease-not-found'
  | 'too-large'
  | 'cancelled'
  | 'unavailable';

/** etcd's messages are part of its API: `api/v3rpc/rpctypes/error.go`. gRPC status codes alone do not tell them apart. */
export function failureOf(error: ServiceError): EtcdFailure {
  const { code, details } = error;
  if (details.includes('required revision has been compacted')) return 'compacted';
  if (details.includes('required revision is a future revision')) return 'future-revision';
  if (details.includes('requested lease not found')) return 'lease-not-found';
  if (details.includes('request is too large')) return 'too-large';
  if (code === status.CANCELLED) return 'cancelled';
  return 'unavailable';
}

export function unavailable(error: ServiceError, endpoint: string): StoreUnavailableError {
  return new StoreUnavailableError(`etcd at ${endpoint}: ${error.details || error.message}`, error);
}
