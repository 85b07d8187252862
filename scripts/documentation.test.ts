/** What the documents say must be there: their links, the files they name, and the example of the README. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const documents = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: root });
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Written by a command that takes long, and only then there. */
const WRITTEN_LATER = ['docs/reference/performance.md', 'docs/reference/conformance.md'];

const LINK = /\]\((?!https?:|#)([^)#\s]+)/g;
const NAMED_FILE = /`((?:src|bin|scripts|test|bench|docs|examples)\/[\w./-]+)`/g;

test('links between documents lead somewhere', () => {
  const dead = documents.flatMap((path) =>
    [...read(path).matchAll(LINK)]
      .map((match) => join(dirname(path), match[1] ?? ''))
      .filter((target) => !existsSync(join(root, target)) && !WRITTEN_LATER.includes(target))
      .map((target) => `${path}: ${target}`),
  );
  assert.deepEqual(dead, []);
});

test('files and folders that documents name are in the tree', () => {
  const missing = documents.flatMap((path) =>
    [...read(path).matchAll(NAMED_FILE)]
      .map((match) => match[1] ?? '')
      .filter((name) => !existsSync(join(root, name)) && !WRITTEN_LATER.includes(name))
      .map((name) => `${path}: ${name}`),
  );
  assert.deepEqual(missing, []);
});

test('the example of the README runs as it stands there', () => {
  const [, example] = /```ts\n([\s\S]*?)```/.exec(read('README.md')) ?? [];
  assert.ok(example !== undefined, 'README.md has no block of TypeScript');
  // Inside the package, so that its own name leads to it.
  const folder = join(root, '.cache/readme-example');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'example.test.ts');
  writeFileSync(file, example);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const result = spawnSync(process.execPath, ['--test', file], { cwd: root, env, encoding: 'utf8' });
  assert.equal(result.status, 0, `${result.stdout}${result.stderr}`);
  assert.match(result.stdout, /pass 1\b/);
});
