import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, isIPv6 } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Address, Sockets } from '../sockets.ts';

const addressOf = (info: AddressInfo): Address => ({ host: info.address, port: info.port });

/** The machine's TCP and UDP. */
export const nodeSockets: Sockets = {
  connectTcp(to, { signal } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const socket = connect({ host: to.host, port: to.port });
      const onAbort = (): void => {
        socket.destroy();
        reject(signal?.reason as Error);
      };
      const onError = (e: Error): void => {
        signal?.removeEventListener('abort', onAbort);
        reject(e);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      socket.once('error', onError);
      socket.once('connect', () => {
        signal?.removeEventListener('abort', onAbort);
        socket.off('error', onError);
        resolve(socket);
      });
    });
  },
  async listenTcp(at, onConnection) {
    const open = new Set<Socket>();
    const server = createServer((socket) => {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      onConnection(socket, { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 });
    });
    server.listen(at.port, at.host);
    await once(server, 'listening');
    return {
      address: addressOf(server.address() as AddressInfo),
      close: () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          for (const socket of open) socket.destroy();
        }),
    };
  },
  async bindUdp(at, onMessage) {
    const socket = createSocket({ type: isIPv6(at.host) ? 'udp6' : 'udp4', reuseAddr: false });
    socket.on('message', (data, from) => onMessage(data, { host: from.address, port: from.port }));
    socket.bind(at.port, at.host);
    await once(socket, 'listening');
    socket.on('error', () => undefined);
    return {
      address: addressOf(socket.address()),
      send: (data, to) => socket.send(data, to.port, to.host),
      close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
    };
  },
};
