/**
 * The walls of the house as data: who may look through whose door, and which globals and modules only the edges
 * may touch. `check-architecture.ts` holds the sources against it. Why: docs/decisions/0001-rooms-and-doors.md.
 */

/** Room → rooms whose door it may import. `platform` means the interfaces; the real machine is `platform/node`. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  platform: [],
  cri: [],
  machinery: ['platform'],
  api: ['platform', 'machinery'],
  store: ['platform'],
  apiserver: ['platform', 'machinery', 'api', 'store'],
  client: ['platform', 'machinery', 'api'],
  scheduler: ['platform', 'machinery', 'api', 'client'],
  controllers: ['platform', 'machinery', 'api', 'client'],
  kubelet: ['platform', 'machinery', 'api', 'client', 'cri'],
  engine: ['platform', 'machinery', 'cri'],
  network: ['platform', 'machinery', 'api', 'client', 'cri'],
};

/** Composition roots: they import any room and touch the machine. */
export const ASSEMBLERS: readonly string[] = ['launcher', 'cluster', 'cli', 'testing'];

/** Rooms that may use the banned modules and globals below. `engine` because it is Linux itself. */
export const MACHINE_ROOMS: readonly string[] = ['launcher', 'cluster', 'cli', 'engine', 'platform/node'];

export const BANNED_MODULES: readonly string[] = [
  'node:fs',
  'node:fs/promises',
  'node:net',
  'node:dgram',
  'node:child_process',
  'node:worker_threads',
  'node:timers',
  'node:timers/promises',
  'node:os',
  'node:process',
];

/** Pattern in code (comments and strings removed) → what to use instead. */
export const BANNED_GLOBALS: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\bDate\.now\s*\(/, 'Clock.now()'],
  [/\bnew Date\s*\(\s*\)/, 'Clock.now()'],
  [/\bperformance\.now\s*\(/, 'Clock.monotonic()'],
  [/(?<![.\w])setTimeout\s*\(/, 'Clock.setTimer()'],
  [/(?<![.\w])setInterval\s*\(/, 'Clock.setTimer()'],
  [/(?<![.\w])setImmediate\s*\(/, 'queueMicrotask or Clock.setTimer()'],
  [/\bAbortSignal\.timeout\s*\(/, 'Clock.setTimer() and an AbortController'],
  [/\bMath\.random\s*\(/, 'Random'],
  [/\brandomUUID\s*\(/, 'Random.uuid()'],
  [/\brandomBytes\s*\(/, 'Random.bytes()'],
  [/\bprocess\.env\b/, 'an option of the constructor'],
];

/** Files that may break one rule, each with its reason. */
export const EXCEPTIONS: Readonly<Record<string, string>> = {
  'src/testing/virtual-clock.ts': 'it waits for the real event loop to come to rest between virtual timers',
};
