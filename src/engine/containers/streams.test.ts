import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, suite, test } from 'node:test';
import { engineFixture, whyNoContainers } from '../engine.fixture.ts';
import type { Fixture } from '../engine.fixture.ts';

/** Resolves once a condition on a stream of events holds: looks whenever `stream` has something. */
function untilText(stream: PassThrough, wanted: RegExp): Promise<string> {
  let seen = '';
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (wanted.test(seen)) resolve(seen);
    });
  });
}

suite('streams of containers', { skip: whyNoContainers() ?? false }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await engineFixture();
    await fixture.engine.makeBaseImage();
  });
  after(() => fixture.dispose());

  test('execSync gives both outputs and the exit code, and ends what takes too long', async () => {
    const { containerId } = await fixture.run('exec', ['sleep', '1000'], { env: [{ key: 'A', value: 'b' }] });
    const done = await fixture.engine.runtime.execSync(
      containerId,
      ['sh', '-c', 'echo $A; echo err >&2; exit 4'],
      10,
    );
    assert.deepEqual(
      { ...done, stdout: done.stdout.toString(), stderr: done.stderr.toString() },
      { exitCode: 4, stdout: 'b\n', stderr: 'err\n', timedOut: false },
    );
    const late = await fixture.engine.runtime.execSync(
      containerId,
      ['sh', '-c', 'echo begun; sleep 1000'],
      1,
    );
    assert.deepEqual(
      { stdout: late.stdout.toString(), timedOut: late.timedOut },
      { stdout: 'begun\n', timedOut: true },
    );
    await assert.rejects(
      fixture.engine.runtime.execSync(containerId, ['nope'], 10),
      /OCI runtime exec failed: .*exec: "nope": executable file not found in \$PATH/,
    );
  });

  test('exec hands stdin through to the process and its end closes it', async () => {
    const { containerId } = await fixture.run('cat', ['sleep', '1000']);
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const output = text(stdout);
    const code = fixture.engine.runtime.exec(containerId, ['sh', '-c', 'cat; exit 5'], {
      stdin,
      stdout,
      tty: false,
    });
    const data = 'x'.repeat(300_000);
    stdin.end(data);
    assert.equal(await code, 5);
    assert.equal(await output, data);
  });

  test('exec with a terminal has its size, follows changes and gives the exit code', async () => {
    const { containerId } = await fixture.run('tty', ['sleep', '1000']);
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const first = Promise.withResolvers<void>();
    async function* sizes(): AsyncGenerator<{ width: number; height: number }> {
      yield { width: 101, height: 33 };
      await first.promise;
      yield { width: 77, height: 22 };
    }
    const sized = untilText(stdout, /33 101/);
    const resized = untilText(stdout, /22 77/);
    // A trapped signal ends `read` early.
    const loop = 'while :; do read line && { echo "got $line"; exit 9; }; done';
    const command = ['sh', '-c', `trap "stty size" WINCH; tty; stty size; ${loop}`];
    const code = fixture.engine.runtime.exec(containerId, command, {
      stdin,
      stdout,
      tty: true,
      resize: sizes(),
    });
    assert.match(await sized, /\/dev\/pts\/\d/);
    first.resolve();
    await resized;
    const got = untilText(stdout, /got hello/);
    stdin.write('hello\n');
    await got;
    assert.equal(await code, 9);
  });

  test('leaving an exec ends its process', async () => {
    const { containerId } = await fixture.run('leave', ['sleep', '1000']);
    const leave = new AbortController();
    const stdout = new PassThrough();
    const begun = untilText(stdout, /begun/);
    const code = fixture.engine.runtime.exec(
      containerId,
      ['sh', '-c', 'echo begun; exec sleep 999'],
      { stdout, tty: false },
      { signal: leave.signal },
    );
    await begun;
    leave.abort(new Error('left'));
    assert.equal(await code, 137);
    const left = await fixture.engine.runtime.execSync(
      containerId,
      ['sh', '-c', 'ps | grep -c "[s]leep 999"'],
      10,
    );
    assert.equal(left.stdout.toString(), '0\n');
  });

  test('attach shows output as it comes and hands stdin over; its end is the end of stdin when asked once', async () => {
    const running = await fixture.run(
      'attach',
      ['sh', '-c', 'while read line; do echo "heard $line"; echo "whisper $line" >&2; done; echo over'],
      {
        stdin: true,
        stdinOnce: true,
      },
    );
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const [all, errors] = [text(stdout.pipe(new PassThrough())), text(stderr)];
    const done = fixture.engine.runtime.attach(running.containerId, { stdin, stdout, stderr, tty: false });
    const heard = untilText(stdout, /heard one/);
    stdin.write('one\n');
    await heard;
    stdin.end('two\n');
    await done;
    assert.equal(await all, 'heard one\nheard two\nover\n');
    assert.equal(await errors, 'whisper one\nwhisper two\n');
    assert.equal(await fixture.ended(running.containerId), 0);
  });

  test('leaving an attach lets the container run on, and one may come back', async () => {
    const running = await fixture.run(
      'twice',
      ['sh', '-c', 'while read line; do echo "heard $line"; done; echo over'],
      { stdin: true, tty: true },
    );
    for (const word of ['one', 'two']) {
      const leave = new AbortController();
      const [stdin, stdout] = [new PassThrough(), new PassThrough()];
      const heard = untilText(stdout, new RegExp(`heard ${word}`));
      const done = fixture.engine.runtime.attach(
        running.containerId,
        { stdin, stdout, tty: true },
        { signal: leave.signal },
      );
      stdin.write(`${word}\n`);
      await heard;
      leave.abort(new Error('left'));
      await done;
    }
    assert.equal(
      (await fixture.engine.runtime.containerStatus(running.containerId)).state,
      'CONTAINER_RUNNING',
    );
  });

  test('a rotated log goes on in a new file', async () => {
    const running = await fixture.run(
      'rotate',
      ['sh', '-c', 'echo before; while read line; do echo $line; done'],
      { stdin: true, stdinOnce: true },
    );
    const path = join(running.sandbox.logDirectory, running.config.logPath);
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const done = fixture.engine.runtime.attach(running.containerId, { stdin, stdout, tty: false });
    const before = untilText(stdout, /first/);
    stdin.write('first\n');
    await before;
    renameSync(path, `${path}.1`);
    await fixture.engine.runtime.reopenContainerLog(running.containerId);
    const after = untilText(stdout, /second/);
    stdin.write('second\n');
    await after;
    stdin.end();
    await done;
    assert.equal(fixture.log(running), 'second\n');
  });
});
