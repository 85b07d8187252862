/** `pods/log`, `pods/exec`, `pods/attach`, `pods/portforward`, `nodes/proxy`: passed on to the node's kubelet. */
import { badRequest } from '#machinery';
import type { CacheReader } from '../reader.ts';
import type { Connector, ConnectRequest } from '../serving/connector.ts';
import { forward, forwardOutput, type ForwardTarget } from './forward.ts';
import { chooseContainer, findPod, type KubeletAddress, kubeletOf } from './pod-lookup.ts';
import { asksForWebSocket, openWebSocketOutput } from './websocket-output.ts';

export interface KubeletClientOptions {
  readonly reader: CacheReader;
  /** How the API server proves to a kubelet who it is, and whom it trusts. */
  readonly tls: NonNullable<ForwardTarget['tls']>;
}

const LOG_PARAMETERS = [
  'follow',
  'previous',
  'timestamps',
  'sinceSeconds',
  'sinceTime',
  'tailLines',
  'limitBytes',
  'stream',
];
/** Query parameter of the API → of the kubelet. */
const STREAM_PARAMETERS = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' } as const;

const isTrue = (value: string | null): boolean => value === 'true' || value === '1';

/** Go's default: attach and exec give stdout and stderr unless told otherwise. */
function streamQuery(query: URLSearchParams): URLSearchParams {
  const out = new URLSearchParams();
  for (const [from, to] of Object.entries(STREAM_PARAMETERS)) {
    const asked = query.get(from);
    const byDefault = asked === null && (from === 'stdout' || from === 'stderr');
    if (isTrue(asked) || byDefault) out.append(to, '1');
  }
  for (const part of query.getAll('command')) out.append('command', part);
  return out;
}

const withQuery = (path: string, query: URLSearchParams): string => {
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
};

const segment = encodeURIComponent;

export function kubeletConnectors({ reader, tls }: KubeletClientOptions): readonly Connector[] {
  const to = ({ host, port }: KubeletAddress, path: string): ForwardTarget => ({
    scheme: 'https',
    host,
    port,
    path,
    tls,
  });

  const stream = (subresource: 'exec' | 'attach', request: ConnectRequest): Promise<void> => {
    const { namespace = '', name = '' } = request.target;
    const pod = findPod(reader, namespace, name);
    const container = chooseContainer(pod, request.query.get('container') ?? '');
    if (subresource === 'exec' && request.query.getAll('command').length === 0) {
      throw badRequest('you must specify at least 1 command for the container');
    }
    const { nodeName = '' } = pod.spec;
    if (nodeName === '') throw badRequest(`pod ${name} does not have a host assigned`);
    const path = `/${subresource}/${segment(namespace)}/${segment(name)}/${segment(container)}`;
    return forward(request, to(kubeletOf(reader, nodeName), withQuery(path, streamQuery(request.query))));
  };

  return [
    {
      group: '',
      resource: 'pods',
      subresource: 'log',
      async connect(request) {
        const { namespace = '', name = '' } = request.target;
        const pod = findPod(reader, namespace, name);
        const container = chooseContainer(pod, request.query.get('container') ?? '');
        const { nodeName = '' } = pod.spec;
        if (nodeName === '') {
          // Nothing has been written yet.
          const output = asksForWebSocket(request)
            ? openWebSocketOutput(request)
            : request.respond(200, { 'content-type': 'text/plain' });
          output.end();
          return;
        }
        const query = new URLSearchParams();
        for (const parameter of LOG_PARAMETERS) {
          const value = request.query.get(parameter);
          if (value !== null) query.set(parameter, value);
        }
        const path = `/containerLogs/${segment(namespace)}/${segment(name)}/${segment(container)}`;
        await forwardOutput(request, to(kubeletOf(reader, nodeName), withQuery(path, query)));
      },
    },
    {
      group: '',
      resource: 'pods',
      subresource: 'exec',
      connect: (request) => stream('exec', request),
    },
    {
      group: '',
      resource: 'pods',
      subresource: 'attach',
      connect: (request) => stream('attach', request),
    },
    {
      group: '',
      resource: 'pods',
      subresource: 'portforward',
      connect(request) {
        const { namespace = '', name = '' } = request.target;
        const pod = findPod(reader, namespace, name);
        const { nodeName = '' } = pod.spec;
        if (nodeName === '') throw badRequest(`pod ${name} does not have a host assigned`);
        const query = new URLSearchParams();
        const ports = request.query.getAll('ports');
        if (ports.length > 0) query.set('port', ports.join(','));
        const path = `/portForward/${segment(namespace)}/${segment(name)}`;
        return forward(request, to(kubeletOf(reader, nodeName), withQuery(path, query)));
      },
    },
    {
      group: '',
      resource: 'nodes',
      subresource: 'proxy',
      connect(request) {
        const path = request.trailingPath === '' ? '/' : request.trailingPath;
        const [nodeName = ''] = (request.target.name ?? '').split(':');
        return forward(request, to(kubeletOf(reader, nodeName), withQuery(path, request.query)));
      },
    },
  ];
}
