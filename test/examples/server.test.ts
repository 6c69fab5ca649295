import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import sharp from 'sharp';
import { openImageSet } from '../../data/open.ts';
import { scoreImages } from '../../src/index.ts';
import { temporaryFolder } from '../cli/files.ts';
import { copyOfRun, imagesOf } from '../cli/run-states.ts';
import { installExample } from './files.ts';

describe('examples/server', () => {
  const at = temporaryFolder();
  let model: string;
  let images: string;
  let server: ChildProcess;
  let url: string;

  before(async () => {
    await copyOfRun('guarded', at('run'));
    model = at('run', 'guarded.onnx');
    images = await imagesOf('noise');
    await installExample('server', at('server'));
    server = spawn(process.execPath, ['server.js', model, '0'], {
      cwd: at('server'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    url = await new Promise((resolve) => {
      let log = '';
      server.stdout!.on('data', (part) => {
        log += part;
        const [, found] = /Server listening at (http:\/\/127\.0\.0\.1:\d+)/.exec(log) ?? [];
        if (found) resolve(found);
      });
    });
  });
  after(() => server?.kill('SIGKILL'));

  const post = (body: Uint8Array | string, type = 'image/png', signal?: AbortSignal) =>
    fetch(`${url}/score`, {
      method: 'POST',
      body: body as string,
      headers: { 'Content-Type': type },
      signal,
    });

  it('answers as la-ood score does', async () => {
    let checked = 0;
    for await (const { image, label, isOod, pValue, reason } of scoreImages(model, [images])) {
      const response = await post(await readFile(join(images, basename(image))), 'image/bmp');
      expect(response.status).to.equal(200);
      const answer = (await response.json()) as Record<string, unknown>;
      expect(answer).to.include({ isOod, classIndex: label, reason });
      expect(answer.pValue).to.be.closeTo(pValue, 1e-6 + 2 / 501);
      expect(answer.classes).to.have.length(5);
      expect(answer).not.to.have.any.keys('logits', 'parts');
      if (++checked === 5) break;
    }
  });

  it('refuses in a sentence what is no image, damaged, or too large', async () => {
    const image = await noise(32);
    const huge = await flat(12_000, 9000);
    const cases: [number, RegExp, Promise<Response>][] = [
      [415, /text, not an image/, post('hello', 'image/png')],
      [415, /send the image as image/, post('{}', 'application/json')],
      [415, /empty/, post(new Uint8Array(), 'image/png')],
      [422, /cannot be decoded/, post(image.subarray(0, image.length / 2))],
      [413, /12000 × 9000 pixels, and 50 million are taken/, post(huge)],
    ];
    for (const [status, sentence, response] of cases) {
      const { error } = (await (await response).json()) as { error: string };
      expect(error).to.match(sentence);
      expect((await response).status).to.equal(status);
    }
    // By its header: nothing of it has to be sent.
    const headers = { 'Content-Type': 'image/png', 'Content-Length': 21 * 2 ** 20 };
    const asked = request(`${url}/score`, { method: 'POST', headers });
    asked.flushHeaders();
    const [{ statusCode }] = await once(asked, 'response');
    asked.destroy();
    expect(statusCode).to.equal(413);
  });

  it('says 503 where too many ask, and drops those who go', async () => {
    const image = await noise(2000);
    const controller = new AbortController();
    const asked = Array.from({ length: 90 }, () =>
      post(image, 'image/png', controller.signal).then(
        ({ status }) => status,
        () => 0,
      ),
    );
    const refused = asked.map((one) => one.then((status) => (status === 503 ? status : Promise.reject())));
    expect(await Promise.any(refused)).to.equal(503);
    controller.abort();
    await Promise.all(asked);
    for (let pending = 1, tries = 0; pending > 0; tries++) {
      expect(tries).to.be.below(600);
      ({ pending } = (await (await fetch(`${url}/health`)).json()) as { pending: number });
      await sleep(50);
    }
    expect((await post(await noise(32))).status).to.equal(200);
  });

  it('counts what it does', async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).to.match(/guard_requests_total\{status="200"\} \d+/);
    expect(text).to.match(/guard_requests_total\{status="503"\} \d+/);
    expect(text).to.include('guard_request_seconds_bucket').and.include('guard_pending_images 0');
  });

  it('ends when it is told to, after what is under way', async () => {
    const image = await noise(3000);
    const { port } = new URL(url);
    const status = new Promise<number>((resolve, reject) => {
      const headers = { 'Content-Type': 'image/png', 'Content-Length': image.length };
      request({ port, method: 'POST', path: '/score', headers }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
        .on('error', reject)
        .end(image, () => setTimeout(() => server.kill('SIGTERM'), 30));
    });
    const [code] = await once(server, 'exit');
    expect(await status).to.equal(200);
    expect(code).to.equal(0);
  });

  /** Takes few bytes, and long to decode. */
  function flat(width: number, height: number): Promise<Buffer> {
    return sharp({ create: { width, height, channels: 3, background: '#888' } })
      .png({ compressionLevel: 1 })
      .toBuffer();
  }

  /** An image of noise as a PNG. */
  async function noise(side: number): Promise<Buffer> {
    const size = { height: 32, width: 32 };
    const pixels = await (await openImageSet('demo:noise')).read(0, 1, size);
    return sharp(pixels, { raw: { ...size, channels: 3 } })
      .resize(side, side)
      .png()
      .toBuffer();
  }
});
