/**
 * kill -9 under load, over and over, on one folder. `K8TS_CRASH_ROUNDS` sets how often (10 unless given),
 * `K8TS_CRASH_SEED` repeats a run's moments and writes.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '#platform';
import { VirtualClock } from '#testing';
import type { Revision, Store } from '../store.ts';
import { openEmbeddedStore } from './embedded-store.ts';

const ROUNDS = Number(process.env['K8TS_CRASH_ROUNDS'] ?? 10);
const SEED = Number(process.env['K8TS_CRASH_SEED'] ?? Date.now() % 1_000_000);
/** Longest time the victim lives after it opened the store. */
const MAX_LIFE_MS = 500;
const WRITER = fileURLToPath(new URL('fixtures/crash-writer.ts', import.meta.url));

/** What must be found: the newest acknowledged state of each key. */
interface Acknowledged {
  readonly revision: Revision;
  /** Undefined: deleted. */
  readonly value: Buffer | undefined;
}

class Witness {
  readonly keys = new Map<string, Acknowledged>();
  newestPair: Revision = 0;
  newest: Revision = 0;
  count = 0;

  hear(line: string): void {
    const [what, first = '', second, third, letter] = line.split(' ');
    if (what === 'pair') this.#pair(Number(first));
    if (what === 'deleted') this.#key(first, Number(second), undefined);
    if (what === 'value') this.#key(first, Number(second), Buffer.alloc(Number(third), letter));
  }

  #pair(revision: Revision): void {
    this.newestPair = Math.max(this.newestPair, revision);
    this.#heard(revision);
  }

  #key(key: string, revision: Revision, value: Buffer | undefined): void {
    if (revision > (this.keys.get(key)?.revision ?? 0)) this.keys.set(key, { revision, value });
    this.#heard(revision);
  }

  #heard(revision: Revision): void {
    this.newest = Math.max(this.newest, revision);
    this.count++;
  }
}

async function killUnderLoad(folder: string, seed: number, lifeMs: number, witness: Witness): Promise<void> {
  const victim = spawn(process.execPath, [WRITER, folder, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(victim, 'close');
  let opened: (() => void) | undefined;
  const ready = new Promise<void>((resolve) => {
    opened = resolve;
  });
  createInterface({ input: victim.stdout }).on('line', (line) => {
    if (line.startsWith('open ')) opened?.();
    else witness.hear(line);
  });
  await Promise.race([ready, closed]);
  // The moment of death is what this test is about; nothing can be awaited for it.
  await delay(lifeMs);
  victim.kill('SIGKILL');
  const [, signal] = (await closed) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', 'the victim ended by itself');
}

/** More revisions than can be on the way to the disk at once; fewer than the victim's history keeps. */
const UNDER_WAY = 64;

async function assertNothingLost(store: Store, witness: Witness): Promise<void> {
  assert.ok(store.revision >= witness.newest, `revision ${store.revision}, acknowledged ${witness.newest}`);
  for (const [key, { revision, value }] of witness.keys) {
    const now = await store.get(key);
    // A key has one writer, so what changed it since is that writer's last write: on disk, not acknowledged.
    const isNewer = now !== undefined ? now.modRevision > revision : value !== undefined;
    const found = isNewer
      ? await store.get(key, { revision: Math.max(revision, witness.newest - UNDER_WAY) })
      : now;
    assert.equal(found?.modRevision, value === undefined ? undefined : revision, `${key} at ${revision}`);
    assert.ok(value === undefined || found?.value.equals(value) === true, `${key} has another value`);
    // From now on that write counts: the next victim started from it.
    if (isNewer) witness.keys.set(key, { revision: now?.modRevision ?? store.revision, value: now?.value });
  }
  const left = await store.get('pair/left');
  const right = await store.get('pair/right');
  assert.equal(left?.modRevision, right?.modRevision, 'half a transaction');
  assert.ok(left?.value.equals(right?.value ?? Buffer.alloc(0)) ?? true, 'half a transaction');
  assert.ok((left?.modRevision ?? 0) >= witness.newestPair);
}

test(`nothing acknowledged is lost by kill -9 under load (${ROUNDS} times, seed ${SEED})`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'k8ts-crash-'));
  const witness = new Witness();
  let seed = SEED + 1;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      seed = (seed * 48_271) % 0x7fff_ffff;
      const before = witness.newest;
      await killUnderLoad(folder, seed, seed % MAX_LIFE_MS, witness);
      const store = await openEmbeddedStore({ folder, clock: new VirtualClock(), logger: silentLogger });
      await assertNothingLost(store, witness);
      const { revision } = store;
      assert.ok(revision >= before);
      const next = await store.transact({
        compare: [],
        writes: [{ type: 'put', key: 'round', value: Buffer.from(String(round)) }],
      });
      assert.equal(next.revision, revision + 1);
      await store.close();
    }
    t.diagnostic(`${witness.count} acknowledged writes, newest revision ${witness.newest}`);
    assert.ok(witness.count > 0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
