import { Cron } from 'croner';
import { parseDuration } from '#machinery';
import type { WallTimeMs } from '#platform';

export interface Schedule {
  /** The first time after that one, on a whole second; undefined when there is none. */
  next(afterMs: WallTimeMs): WallTimeMs | undefined;
}

const EVERY = '@every ';
const ZONE_PREFIX = /^(?:CRON_)?TZ=(\S+)\s+/;
const SECOND_MS = 1000;

/**
 * Five fields of cron, a word such as `@daily`, or `@every 1h30m`; in UTC unless a zone is given or stands before it
 * (`TZ=Europe/Berlin 0 6 * * *`).
 * @throws Error when it is none of these, or the zone is unknown.
 */
export function parseSchedule(text: string, timeZone: string | undefined): Schedule {
  const zone = ZONE_PREFIX.exec(text);
  const pattern = text.slice(zone?.[0].length ?? 0).trim();
  if (pattern.startsWith(EVERY)) return everySchedule(pattern.slice(EVERY.length));
  const cron = new Cron(fieldsOf(pattern), {
    mode: '5-part',
    paused: true,
    timezone: zone?.[1] ?? timeZone ?? 'UTC',
  });
  return { next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() };
}

/** A question mark is a star here; elsewhere it means the time of reading. */
const fieldsOf = (pattern: string): string => pattern.replaceAll('?', '*');

function everySchedule(text: string): Schedule {
  const stepMs = Math.max(SECOND_MS, Math.floor(parseDuration(text) / SECOND_MS) * SECOND_MS);
  return { next: (afterMs) => Math.floor(afterMs / SECOND_MS) * SECOND_MS + stepMs };
}

/** @throws RangeError when there is no such zone. */
function offsetIn(timeZone: string, ms: WallTimeMs): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }).formatToParts(
    new Date(ms),
  );
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
  return name.slice('GMT'.length);
}

export function isTimeZone(timeZone: string): boolean {
  try {
    offsetIn(timeZone, 0);
    return true;
  } catch {
    return false;
  }
}

/** RFC 3339 as a clock in that zone shows it: `2026-01-01T06:00:00+01:00`. */
export function formatInZone(ms: WallTimeMs, timeZone = 'UTC'): string {
  const offset = offsetIn(timeZone, ms);
  const sign = offset.startsWith('-') ? -1 : 1;
  const [hours = 0, minutes = 0] = offset.slice(1).split(':').map(Number);
  const local = new Date(ms + sign * (hours * 60 + minutes) * 60_000).toISOString().slice(0, 19);
  return `${local}${hours + minutes === 0 ? 'Z' : offset}`;
}

/** RFC 1123 with a numeric zone: `Thu, 01 Jan 2026 00:00:00 +0000`. */
export const formatRfc1123 = (ms: WallTimeMs): string => new Date(ms).toUTCString().replace(/GMT$/, '+0000');

export interface Missed {
  /** From where was counted. */
  readonly sinceMs: WallTimeMs;
  /** The last time that has come; undefined when none has. */
  readonly lastMs: WallTimeMs | undefined;
  readonly count: number;
}

/**
 * The times that have come between `sinceMs` and `nowMs`. They are not gone through one by one, for there may be
 * years of them: their number is an estimate from the distance of the first two.
 * @throws Error when the schedule never comes.
 */
export function missedTimes(schedule: Schedule, sinceMs: WallTimeMs, nowMs: WallTimeMs): Missed {
  const first = schedule.next(sinceMs);
  if (first === undefined) throw new Error('time difference between two schedules is less than 1 second');
  if (nowMs < first) return { sinceMs, lastMs: undefined, count: 0 };
  const second = schedule.next(first);
  if (second === undefined || nowMs < second) return { sinceMs, lastMs: first, count: 0 };
  const stepMs = Math.round((second - first) / SECOND_MS) * SECOND_MS;
  if (stepMs < SECOND_MS) throw new Error('time difference between two schedules is less than 1 second');
  const count = Math.floor((nowMs - first) / stepMs) + 1;
  let lastMs: WallTimeMs | undefined;
  // One step earlier, for not all steps need be equal (`30 6-16/4 * * 1-5`).
  for (let at = schedule.next(first + (count - 2) * stepMs); at !== undefined && at <= nowMs; ) {
    lastMs = at;
    at = schedule.next(at);
  }
  return { sinceMs, lastMs, count };
}
