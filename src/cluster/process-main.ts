/** What the server and the agent have in common as processes: log, record, signals, telling the parent. */
import { mkdirSync, readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { destination, pino } from 'pino';
import type { Logger } from '#platform';
import { systemClock } from '#platform/node';
import { formatTime } from '#platform';
import {
  type ProcessInput,
  type ProcessMessage,
  removeProcessRecord,
  startTicksOf,
  writeProcessRecord,
} from '#launcher/process';

export interface RunningProcess {
  stop(): Promise<void>;
}

/** Longest that an orderly stop may take before the process ends anyway. */
const STOP_MS = 8_000;
/** After the start, when the process has something like rest. */
const FLUSH_COMPILE_CACHE_MS = 3_000;

export function processLogger(role: string): Logger {
  const level = process.env['K8TS_LOG_LEVEL'] ?? 'info';
  return pino(
    { base: { role }, level, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ fd: 1, sync: true }),
  );
}

/** Runs one of the cluster's processes until it is told to stop. */
export async function runProcess(
  role: string,
  start: (input: ProcessInput, logger: Logger) => Promise<RunningProcess>,
): Promise<void> {
  const logger = processLogger(role);
  const tell = (message: ProcessMessage): void => {
    // The one who started this may have gone meanwhile.
    if (process.channel !== undefined) process.send?.(message);
  };
  process.on('uncaughtException', (error) => logger.error({ err: error }, 'uncaught exception'));
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled rejection'));
  // Whatever ends the process, its log says that it did not vanish.
  process.on('exit', (code) => {
    if (code !== 0) logger.error({ code }, 'ended');
  });
  let running: RunningProcess;
  try {
    const input = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as ProcessInput;
    const { layout, version } = input;
    mkdirSync(layout.run, { recursive: true });
    writeProcessRecord(layout.run, {
      role,
      pid: process.pid,
      startTicks: startTicksOf(process.pid) ?? '',
      startedAt: formatTime(systemClock.now()),
      version,
    });
    running = await start(input, logger);
    onStopSignal(async () => {
      logger.info({}, 'stopping');
      await running.stop();
      removeProcessRecord(layout.run, role);
    }, logger);
  } catch (error) {
    logger.error({ err: error }, 'could not start');
    tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
    process.exit(1);
  }
  tell({ type: 'ready' });
  if (process.channel !== undefined) process.disconnect?.();
  // Node writes it at an orderly exit only; a process that is killed one day would leave the next one to start cold.
  setTimeout(flushCompileCache, FLUSH_COMPILE_CACHE_MS).unref();
}

function onStopSignal(stop: () => Promise<void>, logger: Logger): void {
  let stopping = false;
  const handle = (): void => {
    if (stopping) return;
    stopping = true;
    const endUnorderly = (error: unknown): void => {
      logger.error({ err: error }, 'could not stop in an orderly way');
      process.exit(1);
    };
    setTimeout(() => endUnorderly(new Error(`not stopped after ${STOP_MS} ms`)), STOP_MS).unref();
    void stop().then(() => process.exit(0), endUnorderly);
  };
  process.on('SIGTERM', handle);
  process.on('SIGINT', handle);
}
