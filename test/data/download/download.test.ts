import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { downloadFile, type RemoteFile } from '../../../data/download/download-file.ts';
import { manualSources, sources } from '../../../data/download/sources.ts';
import { DataError } from '../../../src/common/errors.ts';
import { temporaryFolder } from '../images.ts';
import { rejection } from '../rejection.ts';

const bytes = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24));
const md5 = createHash('md5').update(bytes).digest('hex');

/** How a server treats a request, whose number counts from 0. */
type Handler = (request: IncomingMessage, response: ServerResponse, number: number) => void;

describe('Downloads', () => {
  const folder = temporaryFolder();
  const requests: { path: string; range?: string }[] = [];
  let server: Server;
  let origin = '';
  const handlers: Record<string, Handler> = {};
  const quick = { backoff: 0.01, stall: 2, retries: 2 };

  before(async () => {
    server = createServer((request, response) => {
      const path = request.url!.slice(1);
      const number = asked(path).length;
      requests.push({ path, range: request.headers.range });
      (handlers[path] ?? ((_, answer) => answer.writeHead(404).end()))(request, response, number);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const asked = (path: string) => requests.filter((request) => request.path === path);
  const remote = (name: string, more: Partial<RemoteFile> = {}): RemoteFile => ({
    name,
    url: `${origin}/${name}`,
    size: bytes.length,
    md5,
    ...more,
  });
  const startOf = ({ headers }: IncomingMessage) =>
    Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
  /** Sends what is asked for, as a good server does. */
  const good: Handler = (request, response) => send(request, response, bytes.length);
  /** Cuts the connection, or leaves it open, once the byte before `end` has arrived. */
  const send = (request: IncomingMessage, response: ServerResponse, end: number, then = 'cut') => {
    const start = startOf(request);
    response.writeHead(start > 0 ? 206 : 200, {
      'Content-Length': bytes.length - start,
      ...(start > 0 && { 'Content-Range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
    });
    if (end >= bytes.length) return response.end(bytes.subarray(start));
    response.write(bytes.subarray(start, end));
    if (then === 'cut') return cutAt(request, response, end);
  };
  /** A client may drop what it has not yet written when its connection ends. */
  const cutAt = (request: IncomingMessage, response: ServerResponse, end: number) => {
    const part = folder.at(`${request.url!.slice(1)}.part`);
    const look = setInterval(() => {
      if ((statSync(part, { throwIfNoEntry: false })?.size ?? 0) < end) return;
      clearInterval(look);
      response.destroy();
    }, 5);
  };
  const content = (name: string) => readFile(folder.at(name));

  it('are whole, and are not done twice', async () => {
    handlers['a.bin'] = good;
    const seen: number[] = [];
    const onProgress = ({ done, total }: { done: number; total: number }) => seen.push(done / total);
    const first = await downloadFile(remote('a.bin'), folder.path, { onProgress });
    expect(first).to.deep.equal({ path: folder.at('a.bin'), bytes: bytes.length, done: 'now' });
    expect(seen.at(-1)).to.equal(1);
    expect(await content('a.bin')).to.deep.equal(bytes);
    expect((await downloadFile(remote('a.bin'), folder.path)).done).to.equal('before');
    expect(asked('a.bin')).to.have.length(1);
  });

  it('go on where a connection was cut, however often that happens', async () => {
    handlers['cut.bin'] = (request, response) => send(request, response, startOf(request) + 40_000);
    await downloadFile(remote('cut.bin'), folder.path, quick);
    expect(await content('cut.bin')).to.deep.equal(bytes);
    const ranges = asked('cut.bin').map(({ range }) => range);
    expect(ranges[0]).to.equal(undefined);
    expect(ranges[3]).to.equal('bytes=120000-');
  });

  it('begin anew where the server ignores ranges', async () => {
    handlers['whole.bin'] = (request, response, number) => {
      response.writeHead(200, { 'Content-Length': bytes.length });
      if (number > 0) return response.end(bytes);
      response.write(bytes.subarray(0, 1000));
      cutAt(request, response, 1000);
    };
    await downloadFile(remote('whole.bin'), folder.path, quick);
    expect(await content('whole.bin')).to.deep.equal(bytes);
    expect(asked('whole.bin')[1].range).to.equal('bytes=1000-');
  });

  it('give up a connection that stalls, and go on with another', async () => {
    handlers['stall.bin'] = (request, response, number) =>
      send(request, response, number === 0 ? 5000 : bytes.length, 'stall');
    await downloadFile(remote('stall.bin'), folder.path, quick);
    expect(await content('stall.bin')).to.deep.equal(bytes);
    expect(asked('stall.bin')[1].range).to.equal('bytes=5000-');
  });

  it('are tried again while the server is busy, and then say so', async () => {
    handlers['busy.bin'] = (request, response, number) =>
      number < 2 ? response.writeHead(503).end() : good(request, response, number);
    await downloadFile(remote('busy.bin'), folder.path, quick);
    handlers['down.bin'] = (_, response) => response.writeHead(503).end();
    const { message } = await rejection(downloadFile(remote('down.bin'), folder.path, quick), DataError);
    expect(message).to.match(
      /down\.bin: cannot be downloaded \(it answers 503 Service Unavailable\); the same /,
    );
    expect(asked('down.bin')).to.have.length(3);
    const nowhere = remote('x.bin', { url: 'http://127.0.0.1:9/x.bin' });
    const refused = await rejection(downloadFile(nowhere, folder.path, { ...quick, retries: 0 }), DataError);
    expect(refused.message).to.match(/x\.bin: cannot be downloaded \(.*ECONNREFUSED.*\)/);
  });

  it('with other bytes than were published are refused, and not kept', async () => {
    const damaged = Buffer.from(bytes);
    damaged[1234] ^= 1;
    handlers['wrong.bin'] = (_, response) => response.end(damaged);
    const { message } = await rejection(downloadFile(remote('wrong.bin'), folder.path, quick), DataError);
    expect(message).to.match(
      /sends a file of MD5 [0-9a-f]{32}, [0-9a-f]{32} was published; try another `mirror`/,
    );
    for (const name of ['wrong.bin', 'wrong.bin.part'])
      expect(await content(name).catch(({ code }) => code)).to.equal('ENOENT');
    handlers['page.bin'] = (_, response) => response.end('<html>log in first</html>');
    handlers['long.bin'] = (_, response) => {
      response.write(bytes);
      response.end('more');
    };
    for (const [name, expected] of [
      ['page.bin', /has 25 bytes, 300000 were published/],
      ['long.bin', /sends more than the 300000 bytes/],
      ['missing.bin', /answers 404 Not Found; give a `mirror`/],
    ] as const)
      expect((await rejection(downloadFile(remote(name), folder.path, quick), DataError)).message).to.match(
        expected,
      );
  });

  it('begin anew where what was there before is of another file', async () => {
    handlers['stale.bin'] = good;
    await writeFile(folder.at('stale.bin.part'), Buffer.alloc(70_000, 7));
    await downloadFile(remote('stale.bin'), folder.path, quick);
    expect(await content('stale.bin')).to.deep.equal(bytes);
    expect(asked('stale.bin').map(({ range }) => range)).to.deep.equal(['bytes=70000-', undefined]);
  });

  it('begin anew where the server has nothing more to send', async () => {
    handlers['over.bin'] = (request, response, number) =>
      request.headers.range ? response.writeHead(416).end() : good(request, response, number);
    await writeFile(folder.at('over.bin.part'), bytes.subarray(0, 500));
    await downloadFile(remote('over.bin', { size: undefined }), folder.path, quick);
    expect(await content('over.bin')).to.deep.equal(bytes);
  });

  it('write over no other file', async () => {
    await writeFile(folder.at('mine.bin'), 'mine');
    const { message } = await rejection(downloadFile(remote('mine.bin'), folder.path), DataError);
    expect(message).to.include('is not the published file');
    expect(String(await content('mine.bin'))).to.equal('mine');
  });

  it('follow redirections and mirrors, and take bytes as they are', async () => {
    await mkdir(folder.at('other'));
    handlers['moved.bin'] = (_, response) => response.writeHead(302, { Location: '/mirror/b.bin' }).end();
    handlers['mirror/b.bin'] = (_, response) =>
      response.writeHead(200, { 'Content-Encoding': 'x-gzip' }).end(bytes);
    handlers['circle.bin'] = (_, response) => response.writeHead(301, { Location: '/circle.bin' }).end();
    await downloadFile(remote('moved.bin', { size: undefined }), folder.path, quick);
    expect(await content('moved.bin')).to.deep.equal(bytes);
    const file = remote('sub/b.bin', { url: `${origin}/nowhere` });
    const { path } = await downloadFile(file, folder.at('other'), { ...quick, mirror: `${origin}/mirror/` });
    expect(await readFile(path)).to.deep.equal(bytes);
    const { message } = await rejection(downloadFile(remote('circle.bin'), folder.path, quick), DataError);
    expect(message).to.include('redirects more than 5 times');
  });
});

describe('The table of sources', () => {
  it('has a checksum, terms and a use for each', () => {
    for (const [name, { license, files, sets }] of Object.entries(sources)) {
      expect(license, name).not.to.equal('');
      expect(Object.keys(sets), name).not.to.have.length(0);
      for (const { url, md5 } of files) {
        expect(URL.canParse(url), url).to.equal(true);
        expect(md5, name).to.match(/^[0-9a-f]{32}$/);
      }
    }
    const all = Object.values(sources).flatMap(({ files }) => files);
    expect(new Set(all.map(({ md5 }) => md5)).size).to.equal(all.length);
    expect(Object.keys(manualSources)).to.include.members(['lsun', 'isun']);
  });
});
