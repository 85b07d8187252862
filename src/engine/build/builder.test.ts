import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { BuildEvent } from './build-services.ts';
import { engineFixture, whyNoContainers } from '../engine.fixture.ts';
import type { Fixture } from '../engine.fixture.ts';
import type { ImageConfig } from '../content/media-types.ts';

const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A build context with these files. */
function context(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-build-'));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

suite('building an image', { skip: whyNoContainers() ?? false }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await engineFixture();
    await fixture.engine.makeBaseImage();
  });
  after(() => fixture.dispose());
  let images = 0;

  interface Built {
    readonly name: string;
    readonly id: string;
    readonly config: ImageConfig;
    readonly events: readonly BuildEvent[];
    /** Output of a script run in the image. */
    sh(script: string): Promise<string>;
  }

  async function build(
    dockerfile: string,
    files: Readonly<Record<string, string>> = {},
    extra: object = {},
  ): Promise<Built> {
    const folder = 'context' in extra ? String(extra.context) : context({ ...files, Dockerfile: dockerfile });
    const events: BuildEvent[] = [];
    const name = `k8ts.local/test/image-${images++}:latest`;
    const image = await fixture.engine.build({
      context: folder,
      tags: [name],
      network: 'none',
      onEvent: (event) => events.push(event),
      ...extra,
    });
    const blob = join(fixture.options.rootDir, 'content/blobs/sha256', image.id.slice(7));
    const config = JSON.parse(readFileSync(blob, 'utf8')) as ImageConfig;
    return {
      name,
      id: image.id,
      config,
      events,
      async sh(script) {
        const running = await fixture.run('built', ['sh', '-c', script], { image: name });
        await fixture.ended(running.containerId);
        const output = fixture.log(running);
        await fixture.engine.runtime.removePodSandbox(running.sandboxId);
        return output;
      },
    };
  }

  const failure = (
    dockerfile: string,
    message: string,
    files: Readonly<Record<string, string>> = {},
  ): Promise<void> => assert.rejects(build(dockerfile, files), { name: 'BuildError', message });

  test('an application of the usual shape', async () => {
    const built = await build(
      [
        'ARG BASE=k8ts.local/base',
        'FROM $BASE AS build',
        'ARG VERSION=0',
        'WORKDIR /src',
        'COPY app.sh .',
        'RUN sed "s/@VERSION@/$VERSION/" app.sh > app && chmod +x app',
        'FROM k8ts.local/base',
        'LABEL org.example.name="the app" tier=front',
        'ENV GREETING="hello there"',
        'COPY --from=build --chown=nobody:nogroup /src/app /usr/local/bin/',
        'WORKDIR /work',
        'USER nobody',
        'EXPOSE 8080 53/udp',
        'VOLUME ["/data"]',
        'STOPSIGNAL SIGQUIT',
        'HEALTHCHECK CMD true',
        'ENTRYPOINT ["app"]',
        'CMD ["--default"]',
      ].join('\n'),
      { 'app.sh': '#!/bin/sh\necho "$GREETING version @VERSION@ $* as $(id -un) in $(pwd)"\n' },
      { args: { VERSION: '1.2' } },
    );
    assert.deepEqual(built.config.config, {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'GREETING=hello there'],
      Cmd: ['--default'],
      WorkingDir: '/work',
      Labels: { 'org.example.name': 'the app', tier: 'front' },
      User: 'nobody',
      ExposedPorts: { '8080/tcp': {}, '53/udp': {} },
      Volumes: { '/data': {} },
      StopSignal: 'SIGQUIT',
      Entrypoint: ['app'],
    });
    const running = await fixture.run('app', [], { image: built.name });
    assert.equal(await fixture.ended(running.containerId), 0);
    assert.equal(fixture.log(running), 'hello there version 1.2 --default as nobody in /work\n');
    assert.equal((await fixture.engine.runtime.containerStatus(running.containerId)).stopSignal, 'SIGQUIT');
    assert.equal(await built.sh('stat -c "%U:%G %a" /usr/local/bin/app'), 'nobody:nogroup 755\n');
  });

  test('the same context gives the same image, from the cache and without it', async () => {
    const dockerfile = 'FROM k8ts.local/base\nCOPY . /app/\nCOPY b.txt /\n';
    const folder = context({ Dockerfile: dockerfile, 'a.txt': 'a', 'b.txt': 'b' });
    for (const name of ['Dockerfile', 'a.txt', 'b.txt', '.'])
      utimesSync(join(folder, name), 1_700_000_000, 1_700_000_000);
    const first = await build(dockerfile, {}, { context: folder });
    const cached = await build(dockerfile, {}, { context: folder });
    assert.equal(cached.id, first.id);
    assert.equal(cached.events.filter((event) => event.type === 'cached').length, 2);
    assert.equal((await build(dockerfile, {}, { context: folder, noCache: true })).id, first.id);
  });

  test('folders have the time they have in the context, or had in the image, whatever is copied into them', async () => {
    const dockerfile = [
      'FROM k8ts.local/base',
      'RUN mkdir /there && touch -d @1500000000 /there',
      'COPY sub/a.txt /there/new/',
      'COPY . /app/',
    ].join('\n');
    const folder = context({ Dockerfile: dockerfile, 'sub/a.txt': 'a', 'sub/below/b.txt': 'b' });
    utimesSync(join(folder, 'sub/below'), 1_600_000_000, 1_600_000_000);
    utimesSync(join(folder, 'sub'), 1_700_000_000, 1_700_000_000);
    const built = await build(dockerfile, {}, { context: folder });
    assert.equal(
      await built.sh('stat -c "%n %Y" /there /there/new /app /app/sub /app/sub/below'),
      '/there 1500000000\n/there/new 0\n/app 0\n/app/sub 1700000000\n/app/sub/below 1600000000\n',
    );
  });

  test('a step is done again when what it depends on has changed, and so are those after it', async () => {
    const dockerfile = 'FROM k8ts.local/base\nCOPY one /\nRUN echo ran > /log\nCOPY two /\n';
    const cachedSteps = async (files: Record<string, string>): Promise<number> =>
      (await build(dockerfile, files)).events.filter((event) => event.type === 'cached').length;
    await cachedSteps({ one: '1', two: '2' });
    assert.equal(await cachedSteps({ one: '1', two: '2' }), 3);
    assert.equal(await cachedSteps({ one: '1', two: 'changed' }), 2);
    assert.equal(await cachedSteps({ one: 'changed', two: '2' }), 0);
  });

  test('arguments and variables make different steps', async () => {
    const dockerfile = 'FROM k8ts.local/base\nARG X=default\nRUN echo "$X" > /x\n';
    assert.equal(await (await build(dockerfile)).sh('cat /x'), 'default\n');
    assert.equal(await (await build(dockerfile, {}, { args: { X: 'given' } })).sh('cat /x'), 'given\n');
  });

  test('what RUN deletes is gone, a replaced folder is new, links and setuid stay', async () => {
    const built = await build(
      [
        'FROM k8ts.local/base',
        'RUN mkdir /d && echo 1 > /d/one && echo 2 > /d/two && ln /d/one /d/hard && ln -s one /d/soft && chmod 4755 /d/two',
        'RUN rm /d/two /etc/nsswitch.conf && rm -r /opt && mkdir /opt && echo new > /opt/new && mkdir /moved && mv /home /moved/home',
      ].join('\n'),
    );
    const script =
      'ls /d; stat -c "%h" /d/one; readlink /d/soft; ls /etc/nsswitch.conf 2>&1; ls /opt /moved; ls -d /home 2>&1';
    assert.equal(
      await built.sh(script),
      'hard\none\nsoft\n2\none\nls: /etc/nsswitch.conf: No such file or directory\n/moved:\nhome\n\n/opt:\nnew\nls: /home: No such file or directory\n',
    );
  });

  test('COPY places files, folders, patterns and texts, with owner and mode', async () => {
    const built = await build(
      [
        'FROM k8ts.local/base',
        'WORKDIR /w',
        'COPY dir /copied',
        'COPY dir/*.txt more/ listed/',
        'COPY ["file with space", "./"]',
        'COPY --chmod=600 --chown=12:34 dir/a.txt /owned/x.txt',
        'COPY --chown=56 dir/a.txt /numbered',
        'COPY dir/a.txt /bin/through-link',
        "COPY <<one <<'two' /texts/",
        'value $PATH',
        'one',
        'value $PATH',
        'two',
      ].join('\n'),
      { 'dir/a.txt': 'a', 'dir/b.txt': 'b', 'dir/sub/c': 'c', 'more/m': 'm', 'file with space': 's' },
    );
    assert.equal(await built.sh('cd /copied && find . -type f | sort'), './a.txt\n./b.txt\n./sub/c\n');
    assert.equal(
      await built.sh('ls -1 /w /w/listed'),
      '/w:\nfile with space\nlisted\n\n/w/listed:\na.txt\nb.txt\nm\n',
    );
    assert.equal(
      await built.sh('stat -c "%a %u:%g" /owned/x.txt /owned; stat -c %u:%g /numbered'),
      '600 12:34\n600 12:34\n56:56\n',
    );
    assert.equal(await built.sh('test -L /bin && cat /usr/bin/through-link'), 'a');
    assert.match(await built.sh('cat /texts/one /texts/two'), /^value \/usr.*\nvalue \$PATH\n$/);
  });

  test('COPY leaves out what .dockerignore says, and does not follow links out of the context', async () => {
    const outside = context({ secret: 'secret' });
    const folder = context({
      Dockerfile: 'FROM k8ts.local/base\nCOPY . /c/\n',
      '.dockerignore': 'node_modules\n**/*.log\n!important.log\nDockerfile\n.dockerignore\n',
      'node_modules/x/y': '',
      'a.log': '',
      'important.log': '',
      'src/b.log': '',
      'src/code': '',
    });
    symlinkSync(join(outside, 'secret'), join(folder, 'link'));
    const built = await build('', {}, { context: folder });
    assert.equal(
      await built.sh('cd /c && find . | sort; cat /c/link 2>&1'),
      ".\n./important.log\n./link\n./src\n./src/code\ncat: can't open '/c/link': No such file or directory\n",
    );
    writeFileSync(join(folder, 'Dockerfile'), 'FROM k8ts.local/base\nCOPY link /stolen\n');
    await assert.rejects(build('', {}, { context: folder }), /Dockerfile:2: "link" not found/);
  });

  test('ADD unpacks archives, COPY does not', async () => {
    const folder = context({
      Dockerfile: 'FROM k8ts.local/base\nADD a.tar.gz /added/\nCOPY a.tar.gz /copied/\nADD plain /added/\n',
      'in/x': 'x',
      plain: 'p',
    });
    execFileSync('tar', ['-C', join(folder, 'in'), '-czf', join(folder, 'a.tar.gz'), '.']);
    const built = await build('', {}, { context: folder });
    assert.equal(await built.sh('ls /added /copied'), '/added:\nplain\nx\n\n/copied:\na.tar.gz\n');
  });

  test('RUN takes the shell, an array, a script, its variables and its folder', async () => {
    const built = await build(
      [
        'FROM k8ts.local/base',
        'ENV A=1',
        'WORKDIR /w',
        'RUN echo $A $(pwd) > shell',
        'RUN ["sh", "-c", "echo exec > exec"]',
        'RUN <<EOF',
        'for i in 1 2; do',
        '  echo "line \\$i" >> script',
        'done',
        'EOF',
        'RUN <<EOF',
        '#!/usr/bin/awk -f',
        'BEGIN { print "awk" > "awk" }',
        'EOF',
        'RUN cat > fed <<EOF',
        'fed $A',
        'EOF',
        'SHELL ["/bin/sh", "-ec"]',
        'RUN echo "$0" > flags; false || true',
      ].join('\n'),
    );
    assert.equal(await built.sh('cat shell exec script awk fed'), '1 /w\nexec\nline 1\nline 2\nawk\nfed 1\n');
  });

  test('RUN may mount a cache that stays, a folder of the context and a tmpfs; none is in the image', async () => {
    const dockerfile = [
      'FROM k8ts.local/base',
      'ARG N',
      'RUN --mount=type=cache,target=/cache --mount=type=bind,source=src,target=/src --mount=type=tmpfs,target=/t \\',
      '  echo $N >> /cache/runs && cat /cache/runs /src/file > /result && touch /t/x',
    ].join('\n');
    await build(dockerfile, { 'src/file': 'bound\n' }, { args: { N: '1' } });
    const second = await build(dockerfile, { 'src/file': 'bound\n' }, { args: { N: '2' } });
    assert.equal(
      await second.sh('cat /result; ls -d /cache /src /t 2>&1 | wc -l; ls -d /cache 2>&1'),
      '1\n2\nbound\n3\nls: /cache: No such file or directory\n',
    );
  });

  test('a stage that is not needed is not built, a target ends the build', async () => {
    const dockerfile =
      'FROM k8ts.local/base AS one\nRUN echo one > /x\nFROM k8ts.local/base AS broken\nRUN false\nFROM one AS last\nRUN echo last >> /x\n';
    assert.equal(await (await build(dockerfile)).sh('cat /x'), 'one\nlast\n');
    assert.equal(await (await build(dockerfile, {}, { target: 'one' })).sh('cat /x'), 'one\n');
    await assert.rejects(build(dockerfile, {}, { target: 'none' }), /target stage "none" could not be found/);
  });

  test('scratch begins with nothing', async () => {
    const built = await build(
      'FROM k8ts.local/base AS b\nFROM scratch\nCOPY --from=b /bin/busybox /ls\nENTRYPOINT ["/ls", "/"]\n',
    );
    assert.equal(built.config.rootfs.diff_ids.length, 1);
    const running = await fixture.run('scratch', [], { image: built.name });
    await fixture.ended(running.containerId);
    assert.match(fixture.log(running), /^dev\netc\nls\nproc\nsys\n$/);
  });

  test('an entrypoint of its own drops the arguments of the base', async () => {
    const base = await build('FROM k8ts.local/base\nCMD ["base"]\n');
    assert.equal((await build(`FROM ${base.name}\nENTRYPOINT ["own"]\n`)).config.config?.Cmd, undefined);
    assert.deepEqual(
      (await build(`FROM ${base.name}\nCMD ["mine"]\nENTRYPOINT ["own"]\n`)).config.config?.Cmd,
      ['mine'],
    );
  });

  test('errors name the file, the line and what is wrong', async () => {
    await failure('FROM k8ts.local/base\nCOPY nothing /\n', 'Dockerfile:2: "nothing" not found');
    await failure(
      'FROM k8ts.local/base\nCOPY *.nope /\n',
      'Dockerfile:2: no source files were found for "*.nope"',
    );
    await failure(
      'FROM k8ts.local/base\n\nRUN echo told; exit 3\n',
      'Dockerfile:3: process "/bin/sh -c echo told; exit 3" did not complete successfully: exit code: 3\n  told',
    );
    await failure(
      'FROM k8ts.local/base\nCOPY a b /c\n',
      'Dockerfile:2: using COPY with more than one source, the destination must be a directory and end with a /',
      { a: '', b: '' },
    );
    await failure(
      'FROM k8ts.local/base\nUSER nobody\nONBUILD RUN x\n',
      'Dockerfile:3: ONBUILD is not supported',
    );
    await failure('FROM k8ts.local/base\nSTOPSIGNAL NOPE\n', 'Dockerfile:2: invalid signal: NOPE');
    await failure(
      'RUN x\n',
      'Dockerfile:1: no build stage in current context: the first instruction must be FROM or ARG',
    );
    await failure(
      'FROM k8ts.local/none\n',
      'Dockerfile:1: failed to pull and unpack image "k8ts.local/none:latest": failed to resolve reference "k8ts.local/none:latest": k8ts.local/none:latest: not found',
    );
    await failure(
      'FROM k8ts.local/base\nADD https://example.com/x /\n',
      'Dockerfile:2: ADD from a URL is not supported: "https://example.com/x"',
    );
  });

  test('progress is told: steps with their number, output by lines', async () => {
    const { events } = await build(
      'FROM k8ts.local/base AS s\nRUN echo one; echo two >&2\n',
      {},
      { noCache: true },
    );
    assert.deepEqual(events[0], {
      type: 'step',
      stage: 's',
      step: 1,
      steps: 2,
      instruction: 'FROM k8ts.local/base AS s',
    });
    const output = events.flatMap((event) => (event.type === 'output' ? [event.text] : []));
    assert.deepEqual(output.sort(), ['one', 'two']);
  });

  test('an aborted build ends its process and leaves nothing', async () => {
    const leave = new AbortController();
    const onEvent = (event: BuildEvent): void => {
      if (event.type === 'output') leave.abort(new Error('changed my mind'));
    };
    await assert.rejects(
      build('FROM k8ts.local/base\nRUN echo begun; sleep 1000\n', {}, { signal: leave.signal, onEvent }),
      /changed my mind/,
    );
    assert.deepEqual(readdirSync(join(fixture.options.stateDir, 'builds')), []);
    assert.deepEqual(readdirSync(join(fixture.options.stateDir, 'runc')), []);
    assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(`${fixture.options.stateDir}/builds`));
  });

  test('no network means no interface but the loopback', async () => {
    const built = await build('FROM k8ts.local/base\nRUN ls /sys/class/net > /nets; ls /etc > /etc-list\n');
    assert.equal(await built.sh('cat /nets; grep -c resolv /etc-list'), 'lo\n0\n');
  });

  test('the interpreters of the machine make base images that work', async () => {
    const folder = context({
      Dockerfile: 'FROM k8ts.local/python3\nCOPY app.py /\nCMD ["python3", "/app.py"]\n',
      'app.py': 'import json, ssl, http.server, sqlite3\nprint(json.dumps({"ok": True}))\n',
    });
    const python = await build('', {}, { context: folder });
    assert.equal(await python.sh('python3 /app.py'), '{"ok": true}\n');
    const node = await build('FROM k8ts.local/node\nRUN node -e "console.log(6 * 7)" > /answer\n');
    assert.equal(await node.sh('cat /answer'), '42\n');
  });

  test('a file that cannot be run keeps its mode, whoever builds', async () => {
    const folder = context({ Dockerfile: 'FROM k8ts.local/base\nCOPY tool /\n', tool: '' });
    chmodSync(join(folder, 'tool'), 0o711);
    assert.equal(await (await build('', {}, { context: folder })).sh('stat -c %a:%u /tool'), '711:0\n');
    assert.ok(existsSync(join(folder, 'tool')));
  });
});
