import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { HtmlLinkRewriter, type ProxiedPlace, proxiedLink } from './link-rewriting.ts';

const place: ProxiedPlace = { host: '10.0.0.7:80', requestHost: 'cluster:6443', prefix: '/api/proxy' };

async function rewrite(...chunks: readonly string[]): Promise<string> {
  const parts: Buffer[] = [];
  const stream = Readable.from(chunks.map((chunk) => Buffer.from(chunk))).pipe(new HtmlLinkRewriter(place));
  for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString();
}

test('links to the root of the server lead back through the proxy, others stay', () => {
  const links: Readonly<Record<string, string>> = {
    '/': '/api/proxy/',
    '/a?b=/c#d': '/api/proxy/a?b=/c#d',
    'http://10.0.0.7:80/a': '/api/proxy/a',
    '//10.0.0.7:80/a': '/api/proxy/a',
    'https://cluster:6443/a': 'https://cluster:6443/api/proxy/a',
    '/api/proxy/a': '/api/proxy/a',
    'a/b': 'a/b',
    '?q': '?q',
    'http://elsewhere/a': 'http://elsewhere/a',
    'mailto:me@x': 'mailto:me@x',
  };
  for (const [link, expected] of Object.entries(links)) assert.equal(proxiedLink(link, place), expected);
});

test('only attributes that hold links are rewritten, however they are quoted', async () => {
  assert.equal(
    await rewrite(`<A class="/x" HREF = '/a'>é</A><img src=/b alt="<"><p cite="/c"><q cite="/d">`),
    `<A class="/x" HREF = '/api/proxy/a'>é</A><img src=/api/proxy/b alt="<"><p cite="/c"><q cite="/api/proxy/d">`,
  );
});

test('scripts and comments keep their text', async () => {
  const script = `<script src="/s.js">if (1 <a) x = '<a href="/no">';</script>`;
  assert.equal(await rewrite(script), script.replace('/s.js', '/api/proxy/s.js'));
  assert.equal(await rewrite('1 < 2 <!-- x --> <a href="/">'), '1 < 2 <!-- x --> <a href="/api/proxy/">');
});

test('it does not matter where a page is cut', async () => {
  const page = `<script>'<a href="/no">'</script ><b>é</b> < <a title="x>y" href="/a">t</a><`;
  const whole = await rewrite(page);
  assert.match(whole, /href="\/api\/proxy\/a"/);
  for (let at = 1; at < page.length; at++) {
    const cut = await rewrite(page.slice(0, at), page.slice(at));
    assert.equal(cut, whole, `cut at ${at}`);
  }
  assert.equal(await rewrite(...page.split('')), whole);
});
