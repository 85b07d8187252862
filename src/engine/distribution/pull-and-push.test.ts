import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { Readable } from 'node:stream';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLogger } from '#platform';
import { systemClock } from '#platform/node';
import { RuntimeError } from '#cri';
import { fileEntry, writeLayer } from '../archive/layer-writer.ts';
import { writeImage } from '../build/image-writer.ts';
import { ContentStore } from '../content/content-store.ts';
import { hostPlatform } from '../content/platform-choice.ts';
import { engineFixture, whyNoContainers } from '../engine.fixture.ts';
import type { Fixture } from '../engine.fixture.ts';
import { parseReference } from '../images/reference.ts';
import type { RegistryServer } from '../registry/registry-server.ts';
import { RegistryClient } from './registry-client.ts';

/** Stands between a client and a registry, for tests that need bad moments. */
async function proxy(
  to: RegistryServer,
  meddle: (request: IncomingMessage, response: ServerResponse, pass: () => void) => void,
): Promise<{ readonly name: string; close(): void }> {
  const server: Server = createServer((request, response) => {
    meddle(request, response, () => {
      const target = `http://127.0.0.1:${to.address.port}${request.url}`;
      void fetch(target, { method: request.method ?? 'GET', headers: pick(request.headers) }).then(
        async (answer) => {
          response.writeHead(answer.status, Object.fromEntries(answer.headers));
          response.end(request.method === 'HEAD' ? undefined : Buffer.from(await answer.arrayBuffer()));
        },
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    name: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const pick = ({ accept, range, authorization }: IncomingMessage['headers']): Record<string, string> => ({
  ...(accept === undefined ? {} : { accept }),
  ...(range === undefined ? {} : { range }),
  ...(authorization === undefined ? {} : { authorization }),
});

suite('pull and push', { skip: whyNoContainers() ?? false }, () => {
  let source: Fixture;
  let node: Fixture;
  let registry: RegistryServer;
  let host: string;
  before(async () => {
    [source, node] = await Promise.all([engineFixture(), engineFixture()]);
    await source.engine.makeBaseImage();
    registry = await source.engine.serveRegistry({ host: '127.0.0.1', port: 0 });
    host = `127.0.0.1:${registry.address.port}`;
    await source.engine.push('k8ts.local/base', { as: `${host}/team/base:v1` });
  });
  after(async () => {
    await registry.close();
    await Promise.all([source.dispose(), node.dispose()]);
  });

  /** Forgets an image, its content and layers, so that the next pull starts from nothing. */
  const forget = (image: string): Promise<void> => node.engine.images.removeImage(image);

  test('what was pushed can be pulled on another machine, by tag and by digest, and runs there', async () => {
    const id = await node.engine.images.pullImage(`${host}/team/base:v1`);
    const image = await node.engine.images.imageStatus(id);
    assert.deepEqual(image?.repoTags, [`${host}/team/base:v1`]);
    const [digest = ''] = image?.repoDigests ?? [];
    assert.equal(await node.engine.images.pullImage(digest), id);
    const running = await node.run('pulled', ['echo', 'pulled'], { image: id });
    assert.equal(await node.ended(running.containerId), 0);
    const { image: name, imageRef } = await node.engine.runtime.containerStatus(running.containerId);
    assert.deepEqual([name, imageRef], [`${host}/team/base:v1`, digest]);
    await node.engine.runtime.removePodSandbox(running.sandboxId);
    await forget(id);
  });

  test('an image that is only on the machine of the registry is served under its own name', async () => {
    const other = await engineFixture({ registries: { 'k8ts.local': { mirrors: [`http://${host}`] } } });
    try {
      await other.engine.images.pullImage('k8ts.local/base');
      assert.deepEqual((await other.engine.images.imageStatus('k8ts.local/base'))?.repoTags, [
        'k8ts.local/base:latest',
      ]);
    } finally {
      await other.dispose();
    }
  });

  test('pulls of one image at the same time are one pull', async () => {
    let manifests = 0;
    const between = await proxy(registry, (request, _response, pass) => {
      if (request.url?.includes('/manifests/') === true) manifests++;
      pass();
    });
    const ids = await Promise.all(
      [1, 2, 3].map(() => node.engine.images.pullImage(`${between.name}/team/base:v1`)),
    );
    assert.equal(new Set(ids).size, 1);
    assert.equal(manifests, 2);
    between.close();
    await forget(ids[0] ?? '');
  });

  test('leaving one of two pulls leaves the other', async () => {
    let letGo: (() => void) | undefined;
    const reached = Promise.withResolvers<void>();
    const between = await proxy(registry, (request, _response, pass) => {
      if (request.method !== 'HEAD') return pass();
      letGo = pass;
      reached.resolve();
    });
    const [first, second] = [new AbortController(), new AbortController()];
    const image = `${between.name}/team/base:v1`;
    const leaving = node.engine.images.pullImage(image, undefined, { signal: first.signal });
    const staying = node.engine.images.pullImage(image, undefined, { signal: second.signal });
    await reached.promise;
    first.abort(new Error('not wanted'));
    await assert.rejects(leaving, /not wanted/);
    letGo?.();
    await forget(await staying);
    between.close();
  });

  test('a blob that breaks off is taken up where it broke', async () => {
    const ranges: string[] = [];
    const between = await proxy(registry, (request, response, pass) => {
      if (request.url?.includes('/blobs/') !== true) return pass();
      ranges.push(request.headers.range ?? 'whole');
      if (request.headers.range !== undefined) return pass();
      void fetch(`http://${host}${request.url}`).then(async (answer) => {
        const bytes = Buffer.from(await answer.arrayBuffer());
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, 100), () => response.destroy());
      });
    });
    const id = await node.engine.images.pullImage(`${between.name}/team/base:v1`);
    assert.ok(ranges.includes('bytes=100-'), ranges.join());
    between.close();
    await forget(id);
  });

  test('a registry with a bad moment is asked again', async () => {
    let failures = 2;
    const between = await proxy(registry, (_request, response, pass) => {
      if (failures-- > 0) response.writeHead(503).end();
      else pass();
    });
    const id = await node.engine.images.pullImage(`${between.name}/team/base:v1`);
    between.close();
    await forget(id);
  });

  test('content that is not what its digest says is refused and not kept', async () => {
    const between = await proxy(registry, (request, response, pass) => {
      if (request.url?.includes('/blobs/') !== true) return pass();
      void fetch(`http://${host}${request.url}`).then(async (answer) => {
        const bytes = Buffer.from(await answer.arrayBuffer());
        bytes[20] = (bytes[20] ?? 0) ^ 1;
        response.writeHead(200, { 'content-length': bytes.length });
        response.end(bytes);
      });
    });
    const image = `${between.name}/team/base:v1`;
    const wanted = new RegExp(
      `^failed to pull and unpack image "${image}": unexpected digest sha256:[0-9a-f]{64}, want sha256:[0-9a-f]{64}$`,
    );
    await assert.rejects(node.engine.images.pullImage(image), { name: 'RuntimeError', message: wanted });
    assert.deepEqual(await node.engine.images.listImages(), []);
    between.close();
  });

  test('errors say what is wrong in the words users know', async () => {
    const missing = `${host}/team/base:nope`;
    await assert.rejects(
      node.engine.images.pullImage(missing),
      new RuntimeError(
        'NOT_FOUND',
        `failed to pull and unpack image "${missing}": failed to resolve reference "${missing}": ${missing}: not found`,
      ),
    );
    const dead = '127.0.0.1:1/x:latest';
    await assert.rejects(
      node.engine.images.pullImage(dead),
      new RuntimeError(
        'UNKNOWN',
        `failed to pull and unpack image "${dead}": failed to resolve reference "${dead}": failed to do request: ` +
          'Head "http://127.0.0.1:1/v2/x/manifests/latest": dial tcp 127.0.0.1:1: connect: connection refused',
      ),
    );
    await assert.rejects(
      node.engine.images.pullImage('Not An Image'),
      new RuntimeError(
        'INVALID_ARGUMENT',
        'couldn\'t parse image name "Not An Image": invalid reference format',
      ),
    );
  });

  test('a registry with a password wants it', async () => {
    const closed = await source.engine.serveRegistry(
      { host: '127.0.0.1', port: 0 },
      { credentials: { username: 'me', password: 'secret' } },
    );
    const image = `127.0.0.1:${closed.address.port}/team/base:v1`;
    const refused = `failed to pull and unpack image "${image}": failed to resolve reference "${image}": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`;
    await assert.rejects(node.engine.images.pullImage(image), new RuntimeError('UNKNOWN', refused));
    await assert.rejects(
      node.engine.images.pullImage(image, { username: 'me', password: 'wrong' }),
      new RuntimeError('UNKNOWN', refused),
    );
    await forget(await node.engine.images.pullImage(image, { username: 'me', password: 'secret' }));
    await closed.close();
  });

  test('a token is fetched where the registry says, for the scope it asks, and used', async () => {
    const asked: string[] = [];
    const between = await proxy(registry, (request, response, pass) => {
      if (request.url?.startsWith('/token') === true) {
        asked.push(`${request.url} ${request.headers.authorization}`);
        response.end(JSON.stringify({ token: 'ticket' }));
      } else if (request.headers.authorization === 'Bearer ticket') {
        delete request.headers.authorization;
        pass();
      } else {
        const realm = `http://${request.headers.host}/token`;
        response
          .writeHead(401, {
            'www-authenticate': `Bearer realm="${realm}",service="r",scope="repository:team/base:pull"`,
          })
          .end();
      }
    });
    const id = await node.engine.images.pullImage(`${between.name}/team/base:v1`, {
      username: 'u',
      password: 'p',
    });
    assert.deepEqual(asked, [
      `/token?service=r&scope=repository%3Ateam%2Fbase%3Apull Basic ${Buffer.from('u:p').toString('base64')}`,
    ]);
    between.close();
    await forget(id);
  });

  test('credentials do not follow a redirect to another place', async () => {
    const seen: (string | undefined)[] = [];
    const storage = await proxy(registry, (request, _response, pass) => {
      seen.push(request.headers.authorization);
      pass();
    });
    const between = await proxy(registry, (request, response, pass) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
      } else if (request.url?.includes('/blobs/') === true) {
        response.writeHead(307, { location: `http://${storage.name}${request.url}` }).end();
      } else pass();
    });
    await forget(
      await node.engine.images.pullImage(`${between.name}/team/base:v1`, { username: 'u', password: 'p' }),
    );
    assert.ok(seen.length > 0 && seen.every((authorization) => authorization === undefined));
    between.close();
    storage.close();
  });

  test('a mirror is asked first, the registry when the mirror has it not', async () => {
    const asked: string[] = [];
    const empty = await proxy(registry, (request, response) => {
      asked.push('mirror');
      request.resume();
      response.writeHead(404).end();
    });
    const real = await proxy(registry, (_request, _response, pass) => {
      asked.push('registry');
      pass();
    });
    const other = await engineFixture({ registries: { [real.name]: { mirrors: [`http://${empty.name}`] } } });
    try {
      await other.engine.images.pullImage(`${real.name}/team/base:v1`);
      assert.deepEqual(asked.slice(0, 2), ['mirror', 'registry']);
    } finally {
      await other.dispose();
      empty.close();
      real.close();
    }
  });

  test('an image for another machine is refused, naming both', async () => {
    // A second store on the same folder, not opened: opening clears what is being written.
    const directory = join(source.options.rootDir, 'content');
    const content = new ContentStore({ directory, random: source.options.random });
    const other = hostPlatform().architecture === 'arm64' ? 'amd64' : 'arm64';
    const layer = await writeLayer(content, [fileEntry('x', 'y')]);
    const image = await writeImage(content, {
      platform: { os: 'linux', architecture: other },
      config: {},
      layers: [layer],
      history: [],
    });
    const reference = parseReference(`${host}/foreign:1`);
    const client = new RegistryClient({
      reference,
      configuration: {},
      auth: undefined,
      actions: 'pull,push',
      clock: systemClock,
      logger: silentLogger,
    });
    for (const blob of [layer.descriptor, image.manifest.config]) {
      await client.pushBlob(blob, () => content.read(blob.digest));
    }
    await client.pushManifest(await content.readDocument(image.resolved), image.manifestDescriptor.mediaType);
    const own = hostPlatform();
    await assert.rejects(node.engine.images.pullImage(`${host}/foreign:1`), {
      message: `failed to pull and unpack image "${host}/foreign:1": no match for platform in manifest: this machine is linux/${own.architecture}, the image is for linux/${other}`,
    });
  });

  test('a tar made here is taken in elsewhere, with the same id and names', async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of source.engine.exportArchive(['k8ts.local/base'])) chunks.push(chunk as Buffer);
    const [image] = await node.engine.importArchive(Readable.from([Buffer.concat(chunks)]));
    const here = await source.engine.images.imageStatus('k8ts.local/base');
    assert.equal(image?.id, here?.id);
    assert.deepEqual(image?.repoTags, ['k8ts.local/base:latest']);
    await forget('k8ts.local/base');
    await assert.rejects(
      node.engine.importArchive(Readable.from([Buffer.alloc(1024)])),
      /the archive has no image with a name/,
    );
  });

  test('removing an image frees its content and layers, what a container uses stays', async () => {
    await node.engine.images.pullImage(`${host}/team/base:v1`);
    const used = (await node.engine.images.imageFsInfo()).usedBytes;
    await forget(`${host}/team/base:v1`);
    const left = (await node.engine.images.imageFsInfo()).usedBytes;
    assert.ok(used > 1_000_000 && left < 1000, `${used} → ${left}`);
  });
});
