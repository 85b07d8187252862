import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatInZone, formatRfc1123, missedTimes, parseSchedule } from './cron-schedule.ts';

const at = (text: string): number => Date.parse(text);
const nextOf = (schedule: string, after: string, zone?: string): string | undefined => {
  const next = parseSchedule(schedule, zone).next(at(after));
  return next === undefined ? undefined : new Date(next).toISOString();
};

test('schedules are read as cron, words, or a distance', () => {
  assert.equal(nextOf('*/5 * * * ?', '2026-01-01T00:02:30Z'), '2026-01-01T00:05:00.000Z');
  assert.equal(nextOf('@daily', '2026-01-01T00:00:00Z'), '2026-01-02T00:00:00.000Z');
  assert.equal(nextOf('@every 1h30m', '2026-01-01T00:00:10.500Z'), '2026-01-01T01:30:10.000Z');
  assert.equal(nextOf('TZ=America/New_York 0 9 * * *', '2026-01-01T00:00:00Z'), '2026-01-01T14:00:00.000Z');
  assert.equal(nextOf('0 9 * * *', '2026-07-01T00:00:00Z', 'Europe/Berlin'), '2026-07-01T07:00:00.000Z');
  assert.throws(() => parseSchedule('* * * *', undefined));
  assert.throws(() => parseSchedule('61 * * * *', undefined));
});

test('day of month and day of week are alternatives when both are given', () => {
  assert.equal(nextOf('0 0 13 * 5', '2026-01-01T00:00:00Z'), '2026-01-02T00:00:00.000Z');
  assert.equal(nextOf('0 0 13 * 5', '2026-01-10T00:00:00Z'), '2026-01-13T00:00:00.000Z');
});

test('the last of many missed times is found without going through them', () => {
  const missed = missedTimes(
    parseSchedule('* * * * *', undefined),
    at('2020-01-01T00:00:00Z'),
    at('2026-01-01T12:34:56Z'),
  );
  assert.equal(new Date(missed.lastMs ?? 0).toISOString(), '2026-01-01T12:34:00.000Z');
  assert.ok(missed.count > 3_000_000);
});

test('none was missed before the first has come', () => {
  const hourly = parseSchedule('@hourly', undefined);
  const missed = missedTimes(hourly, at('2026-01-01T00:10:00Z'), at('2026-01-01T00:50:00Z'));
  assert.equal(missed.lastMs, undefined);
  assert.equal(missed.count, 0);
});

test('a schedule that never comes is an error', () => {
  const never = parseSchedule('59 23 31 2 *', undefined);
  assert.throws(
    () => missedTimes(never, at('2026-01-01T00:00:00Z'), at('2026-01-02T00:00:00Z')),
    /time difference between two schedules is less than 1 second/,
  );
});

test('times are written as Go writes them', () => {
  assert.equal(formatInZone(at('2026-07-01T00:00:00Z'), 'Europe/Berlin'), '2026-07-01T02:00:00+02:00');
  assert.equal(formatInZone(at('2026-07-01T00:00:00Z'), 'America/St_Johns'), '2026-06-30T21:30:00-02:30');
  assert.equal(formatInZone(at('2026-07-01T00:00:00Z')), '2026-07-01T00:00:00Z');
  assert.equal(formatRfc1123(at('2026-01-01T00:00:00Z')), 'Thu, 01 Jan 2026 00:00:00 +0000');
});
