/** An API server over the store in memory, open to everyone, for tests of this room. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import * as x509 from '@peculiar/x509';
import type { ApiEndpoint, KubeObject, ResourceRequest, UserInfo } from '#machinery';
import { type Clock, silentLogger } from '#platform';
import { createMemoryStore, type Store } from '#store';
import { seededRandom, VirtualClock } from '#testing';
import { type ApiServer, createApiServer } from './api-server.ts';
import type { ApiServerOptions } from './options.ts';

export const ADMIN: UserInfo = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };

export interface TestServer {
  readonly server: ApiServer;
  readonly endpoint: ApiEndpoint;
  readonly store: Store;
}

export async function startTestServer(
  options: Partial<ApiServerOptions> & { readonly clock?: Clock } = {},
): Promise<TestServer & { readonly clock: Clock }> {
  const clock = options.clock ?? new VirtualClock();
  const store = options.store ?? createMemoryStore({ clock });
  const server = createApiServer({
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    authenticator: () => ({ authenticate: async () => ADMIN }),
    authorizer: () => ({ authorize: () => ({ verdict: 'allow', reason: '' }) }),
    admission: () => [],
    virtualResources: () => [],
    ...options,
    store,
  });
  await server.ready;
  return { server, endpoint: server.endpointFor(ADMIN), store, clock };
}

export const CONFIG_MAPS = {
  group: '',
  version: 'v1',
  resource: 'configmaps',
  namespace: 'default',
} as const;

export function configMap(
  name: string,
  data: Readonly<Record<string, string>> = {},
  metadata: object = {},
): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}

/** The object of the answer. */
export async function ask(endpoint: ApiEndpoint, request: ResourceRequest): Promise<KubeObject> {
  return (await endpoint.request(request)).object as KubeObject;
}

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Self-signed, for 127.0.0.1. */
export async function testCertificate(): Promise<TestCertificate> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test',
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    cert: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)?.join('\n') ?? ''}\n-----END PRIVATE KEY-----\n`,
  };
}

export interface HttpAnswer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body parsed as JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into whatever came back
  json(): any;
}

/** One HTTP/2 connection to a listening server. */
export class HttpClient {
  readonly session: ClientHttp2Session;

  constructor(port: number, ca: string) {
    this.session = connect(`https://127.0.0.1:${port}`, { ca });
  }

  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpAnswer> {
    const bytes =
      body === undefined || Buffer.isBuffer(body)
        ? body
        : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const type: Record<string, string> = bytes === undefined ? {} : { 'content-type': 'application/json' };
    const stream = this.session.request(
      { ':method': method, ':path': path, ...type, ...headers },
      { endStream: bytes === undefined },
    );
    if (bytes !== undefined) stream.end(bytes);
    const answered = new Promise<IncomingHttpHeaders>((resolve, reject) => {
      stream.once('response', resolve);
      stream.once('error', reject);
    });
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    const received = await answered;
    const all = Buffer.concat(chunks);
    const text = all.toString();
    return {
      code: Number(received[':status']),
      headers: received,
      bytes: all,
      text,
      json: () => JSON.parse(text) as unknown,
    };
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.session.destroyed) return resolve();
      this.session.once('close', resolve);
      this.session.destroy();
    });
  }
}
