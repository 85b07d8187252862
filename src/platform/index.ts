/** The machine as the rest of k8ts sees it: interfaces only. `platform/node` has the real ones. */
export { formatMicroTime, formatTime } from './clock.ts';
export type { Clock, MonotonicMs, Timer, WallTimeMs } from './clock.ts';
export type { Files, FileStat } from './files.ts';
export { silentLogger } from './logger.ts';
export type { Logger } from './logger.ts';
export type { Processes, ProcessResult, RunOptions } from './processes.ts';
export { randomNameSuffix } from './random.ts';
export type { Random } from './random.ts';
export type { Address, Sockets, TcpListener, UdpSocket } from './sockets.ts';
