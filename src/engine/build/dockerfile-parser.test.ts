import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError } from './build-error.ts';
import { execForm, parseDockerfile } from './dockerfile-parser.ts';

const parse = (text: string): (readonly [string, string, number])[] =>
  parseDockerfile(text, 'Dockerfile').map(({ name, text: rest, line }) => [name, rest, line] as const);

test('instructions have a name in capitals, their arguments and the line they begin on', () => {
  assert.deepEqual(parse('# comment\n\nfrom base\n  Run echo "a  b"  \n'), [
    ['FROM', 'base', 3],
    ['RUN', 'echo "a  b"', 4],
  ]);
});

test('a backslash joins lines; comments and empty lines between are not there', () => {
  assert.deepEqual(parse('FROM base\nRUN one && \\\n# no\n\n   two \\  \n   # neither\n && three\nUSER x'), [
    ['FROM', 'base', 1],
    ['RUN', 'one &&    two  && three', 2],
    ['USER', 'x', 8],
  ]);
});

test('a directive changes the character that joins lines', () => {
  assert.deepEqual(parse('# syntax=docker/dockerfile:1\n# escape=`\nFROM base\nRUN a `\n b\\\n'), [
    ['FROM', 'base', 3],
    ['RUN', 'a  b\\', 4],
  ]);
});

test('flags are taken off the front, each with all its values', () => {
  const [, run] = parseDockerfile(
    'FROM base\nRUN --mount=type=cache,target=/a --mount=type=tmpfs,target=/b --network=none cmd --flag=x',
    'f',
  );
  assert.deepEqual(
    run?.flags,
    new Map([
      ['mount', ['type=cache,target=/a', 'type=tmpfs,target=/b']],
      ['network', ['none']],
    ]),
  );
  assert.equal(run?.text, 'cmd --flag=x');
});

test('heredocs follow the instruction; quotes keep them from expansion, a dash takes tabs away', () => {
  const [, run, copy, after] = parseDockerfile(
    "FROM base\nRUN <<EOF\necho $x\nEOF\nCOPY <<'A' <<-B /dst/\none\nA\n\t\ttwo\n\tB\nUSER u\n",
    'f',
  );
  assert.deepEqual(run?.heredocs, [{ name: 'EOF', content: 'echo $x\n', expands: true }]);
  assert.deepEqual(copy?.heredocs, [
    { name: 'A', content: 'one\n', expands: false },
    { name: 'B', content: 'two\n', expands: true },
  ]);
  assert.deepEqual([after?.name, after?.line], ['USER', 10]);
});

test('the exec form is JSON of strings, anything else is for the shell', () => {
  assert.deepEqual(execForm('["a", "b c"]'), ['a', 'b c']);
  for (const text of ['echo [x]', "['a']", '["a", 1]', '[ -f x ] && y'])
    assert.equal(execForm(text), undefined);
});

test('errors name file and line', () => {
  const at = { file: 'docker/App', line: 3 };
  assert.throws(
    () => parseDockerfile('FROM a\n\nFETCH x', 'docker/App'),
    new BuildError(at, 'unknown instruction: FETCH'),
  );
  assert.throws(
    () => parseDockerfile('FROM a\nRUN true\nRUN <<X\necho', 'docker/App'),
    new BuildError(at, 'unterminated heredoc X'),
  );
  assert.throws(() => parseDockerfile('# nothing\n', 'f'), /f:1: the file has no instructions/);
});
