import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scheduleProblem } from './schedule.ts';

test('schedules of five fields, names, steps, lists and shorthands are fine', () => {
  for (const text of [
    '* * * * *',
    '*/5 0-23/2 1,15 * mon-fri',
    '0 0 ? JAN *',
    '59 23 31 12 6',
    '@hourly',
    '@annually',
    '@every 1h30m',
    'TZ=UTC 0 * * * *',
    'CRON_TZ=Europe/Berlin @daily',
  ]) {
    assert.equal(scheduleProblem(text), undefined, text);
  }
});

test('what no schedule can be read from is refused', () => {
  for (const text of [
    '',
    '* * * *',
    '* * * * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 7',
    '5-1 * * * *',
    '*/0 * * * *',
    'x * * * *',
    '@fortnightly',
    '@every soon',
    'TZ=Nowhere/Land * * * * *',
  ]) {
    assert.equal(typeof scheduleProblem(text), 'string', text);
  }
});
