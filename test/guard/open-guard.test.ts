import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { decodeImage } from '../../data/decode.ts';
import { scanOutline } from '../../src/graph/outline.ts';
import { guardInfo } from '../../src/guard/guard-info.ts';
import {
  type Guard,
  type GuardAnswer,
  openGuard,
  QueueFullError,
  readModel,
  type ScoredImage,
  scoreImages,
  UsageError,
} from '../../src/index.ts';
import { temporaryFolder } from '../cli/files.ts';
import { copyOfRun, imagesOf } from '../cli/run-states.ts';

describe('openGuard', () => {
  const at = temporaryFolder();
  let model: string;
  let images: string[];
  let rows: ScoredImage[];
  let guard: Guard;

  before(async () => {
    await copyOfRun('guarded', at('run'));
    model = at('run', 'guarded.onnx');
    const noise = await imagesOf('noise');
    rows = [];
    for await (const row of scoreImages(model, [noise])) rows.push(row);
    images = rows.map(({ image }) => join(noise, basename(image)));
    guard = await open(model);
  });
  after(() => Promise.all(opened.map((one) => one.close())));

  const opened: Guard[] = [];
  async function open(...args: Parameters<typeof openGuard>): Promise<Guard> {
    opened.push(await openGuard(...args));
    return opened.at(-1)!;
  }

  /** Larger batches round otherwise, and a rank may change. */
  function requireSame(answer: GuardAnswer, row: ScoredImage): void {
    expect(answer.classIndex, row.image).to.equal(row.label);
    expect(answer.score, row.image).to.be.closeTo(row.score, 1e-3 * Math.max(1, Math.abs(row.score)));
    for (const [found, expected] of [
      [answer.pValue, row.pValue],
      [answer.content?.pValue, row.contentPValue],
      [answer.conditions?.pValue, row.conditionsPValue],
    ])
      expect(found, row.image).to.be.closeTo(expected!, 1e-6 + 2 / 501);
  }

  it('scores paths, bytes, blobs and pixels, mixed, as la-ood score does', async () => {
    const mixed = await Promise.all(
      images.map(async (path, i) => {
        const bytes = await readFile(path);
        return [path, bytes, new Blob([bytes]), await decodeImage(bytes, path), new Uint8Array(bytes)][i % 5];
      }),
    );
    const told: number[] = [];
    const answers = await guard.score(mixed, { onProgress: ({ done }) => told.push(done) });
    expect(answers).to.have.length(images.length);
    for (const [i, answer] of answers.entries()) requireSame(answer, rows[i]);
    expect(told).to.deep.equal(images.map((_, i) => i + 1));
    const together = await Promise.all(mixed.map((image) => guard.score(image)));
    for (const [i, answer] of together.entries()) requireSame(answer, rows[i]);
    expect(guard.pending).to.equal(0);
    expect(await guard.score([])).to.deep.equal([]);
  });

  it('tells what the model says of itself, from bytes as from a model that was decoded', async () => {
    const bytes = await readFile(model);
    const info = guardInfo(scanOutline(bytes, model), model);
    expect(info).to.deep.equal(guardInfo(await readModel(model), model));
    expect(info).to.deep.equal(guard.info);
    expect(info.questions).to.deep.equal(['content', 'conditions']);
    expect(info.scores).to.have.length(500);
  });

  it('opens bytes, and addresses', async () => {
    const bytes = await readFile(model);
    const server = createServer((_, response) => response.end(bytes)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      for (const source of [bytes, pathToFileURL(model), `http://127.0.0.1:${port}/`]) {
        const other = await open(source, { device: 'cpu' });
        requireSame(await other.score(images[0]), rows[0]);
        await other[Symbol.asyncDispose]();
      }
    } finally {
      server.close();
    }
  });

  it('refuses at once what the queue has no place for, and goes on', async () => {
    const small = await open(model, { queue: 2, batch: 2 });
    const calls = images.slice(0, 5).map((image) => small.score(image));
    const ended = await Promise.allSettled(calls);
    expect(ended.map(({ status }) => status)).to.deep.equal([
      ...['fulfilled', 'fulfilled', 'rejected', 'rejected', 'rejected'],
    ]);
    const { reason } = ended[2] as PromiseRejectedResult;
    expect(reason).to.be.instanceOf(QueueFullError);
    expect(reason.message).to.equal('guard: has 2 images to do; ask again in a while');
    // Many take places as they get free.
    const answers = await small.score(images.slice(0, 20));
    for (const [i, answer] of answers.entries()) requireSame(answer, rows[i]);
    expect(small.pending).to.equal(0);
  });

  it('gives up when it is told to, and has its places back', async () => {
    const controller = new AbortController();
    const reason = new Error('the client is gone');
    const many = guard.score(images, { signal: controller.signal });
    const one = guard.score(images[0], { signal: controller.signal });
    controller.abort(reason);
    expect(await one.catch((error) => error)).to.equal(reason);
    expect(await many.catch((error) => error)).to.equal(reason);
    expect(await guard.score(images[0], { signal: controller.signal }).catch((error) => error)).to.equal(
      reason,
    );
    requireSame(await guard.score(images[0]), rows[0]);
    // What was being decoded then is finished, for nobody.
    while (guard.pending > 0) await sleep(10);
  });

  it('says in a line which image cannot be decoded', async () => {
    const bytes = new Uint8Array(await readFile(images[0]));
    const damaged = bytes.slice(0, bytes.length / 2);
    const pixels = { height: 2, width: 2, pixels: new Uint8Array(11) };
    const messages = [];
    for (const image of [damaged, new Blob(['text']), pixels, at('nowhere.png')])
      messages.push((await guard.score(image).catch((error) => error)).message);
    expect(messages[0]).to.match(/^image: cannot be decoded \(.*\); replace the image/);
    expect(messages[1]).to.match(/^image: cannot be decoded \(it is text/);
    expect(messages[2]).to.match(/^image: 2 × 2 RGB pixels take 12 bytes, and 11 are there/);
    expect(messages[3]).to.match(/nowhere\.png: cannot be read \(ENOENT\)/);
    const many = await guard.score([images[0], damaged]).catch((error) => error);
    expect(many.message).to.match(/^image 2 of 2: cannot be decoded/);
    expect(guard.pending).to.equal(0);
  });

  it('answers what it has accepted before it closes, and nothing after', async () => {
    const other = await open(model);
    const accepted = other.score(images.slice(0, 10));
    const closing = other.close();
    const refused = await other.score(images[0]).catch((error) => error);
    expect(refused).to.be.instanceOf(UsageError);
    await closing;
    expect(await accepted).to.have.length(10);
  });
});
