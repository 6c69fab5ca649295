import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { expect } from 'chai';
import { type ServedPage, servePage, writePage } from '../../src/index.ts';
import { temporaryFolder } from './files.ts';
import { laOod, start } from './run.ts';
import { copyOfRun } from './run-states.ts';

describe('la-ood serve', () => {
  const at = temporaryFolder();
  let page: ServedPage;

  before(async () => {
    await copyOfRun('guarded', at('run'));
    page = await servePage(at('run', 'guarded.onnx'), { port: 0 });
  });
  after(() => page.close());

  it('serves the page, the model and what is known of it, isolated and with its policy', async () => {
    const response = await fetch(page.url);
    expect(response.status).to.equal(200);
    expect(response.headers.get('content-type')).to.equal('text/html; charset=utf-8');
    expect(response.headers.get('cross-origin-opener-policy')).to.equal('same-origin');
    expect(response.headers.get('cross-origin-embedder-policy')).to.equal('require-corp');
    expect(response.headers.get('x-content-type-options')).to.equal('nosniff');
    const policy = response.headers.get('content-security-policy');
    expect(policy).to.match(
      /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval';.*frame-ancestors 'none'$/,
    );
    const html = await response.text();
    expect(html).to.include("default-src 'none'").and.not.include('{{');
    // Nothing is asked for elsewhere.
    expect(html).not.to.match(/(src|href)="(https?:)?\/\//);

    const model = Buffer.from(await (await fetch(`${page.url}guarded.onnx`)).arrayBuffer());
    expect(model.equals(await readFile(at('run', 'guarded.onnx')))).to.equal(true);
    const facts = (await (await fetch(`${page.url}guard.json`)).json()) as Record<string, never>;
    expect(facts).to.include({
      name: 'run/guarded.onnx',
      classCount: 10,
      logits: 'logits',
      bytes: model.length,
    });
    expect(facts.calibration).to.include({ rate: 0.1, count: 500 });
    expect(facts.scores).to.have.length(500);
    expect(facts.expected).to.have.length(4);
  });

  it('serves every module that its scripts import', async () => {
    const known = new Set<string>();
    const visit = async (path: string): Promise<void> => {
      if (known.has(path)) return;
      known.add(path);
      const response = await fetch(new URL(path, page.url));
      expect(response.status, path).to.equal(200);
      expect(response.headers.get('content-type'), path).to.equal('text/javascript; charset=utf-8');
      const text = await response.text();
      for (const [, name] of text.matchAll(/(?:from |import |new URL\()'(\.{1,2}\/[^']+\.js)'/g))
        await visit(new URL(name, new URL(path, page.url)).pathname.slice(1));
    };
    await visit('src/page/page.js');
    expect([...known]).to.include.members(['src/page/scorer.worker.js', 'data/resample.js']);
    for (const file of ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.wasm', 'ort.webgpu.min.mjs'])
      expect((await fetch(`${page.url}onnxruntime/${file}`, { method: 'HEAD' })).status, file).to.equal(200);
  });

  it('gives no other file, to no other name, by no other method, on no other address', async () => {
    const paths = [
      '/package.json',
      '/../package.json',
      '/src/page/../../../package.json',
      '/%2e%2e/package.json',
    ];
    for (const path of [...paths, '//etc/passwd', '/src/', '/src/page/page.ts', '/guarded.onnx/'])
      expect(await raw({ path }), path).to.equal(404);
    expect(await raw({ path: '/', headers: { host: 'example.org' } })).to.equal(403);
    expect(await raw({ path: '/', headers: { host: '127.0.0.1' } })).to.equal(403);
    expect(await raw({ path: '/', headers: { host: `localhost:${new URL(page.url).port}` } })).to.equal(200);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect(await raw({ path: '/', method }), method).to.equal(405);
    const other = connect({ host: '127.0.0.2', port: Number(new URL(page.url).port) });
    const refused = await new Promise((resolve) => {
      other.on('error', () => resolve(true)).on('connect', () => resolve(false));
    });
    other.destroy();
    expect(refused).to.equal(true);
  });

  it('answers HEAD without a body', async () => {
    const response = await fetch(`${page.url}guarded.onnx`, { method: 'HEAD' });
    const { size } = await stat(at('run', 'guarded.onnx'));
    expect(Number(response.headers.get('content-length'))).to.equal(size);
    expect(await response.text()).to.equal('');
  });

  it('says where it is, opens the browser, and ends with 130 on Ctrl-C', async () => {
    // Stands in for the desktop's own.
    await writeFile(at('xdg-open'), `#!/bin/sh\necho "$1" > ${at('opened')}\n`);
    await chmod(at('xdg-open'), 0o755);
    const env = { PATH: `${at('.')}${delimiter}${process.env.PATH}` };
    const { process: served, finished } = start(
      ['serve', at('run', 'guarded.onnx'), '--port', '0', '--open', '--json'],
      env,
    );
    const { url, opened } = JSON.parse(await firstOutput(served.stdout!)) as { url: string; opened: boolean };
    expect(url).to.match(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(opened).to.equal(true);
    expect((await fetch(url)).status).to.equal(200);
    served.kill('SIGINT');
    const { exitCode, stderr } = await finished;
    expect(exitCode).to.equal(130);
    // There is nothing that the same command would go on with.
    expect(stderr).to.equal('interrupted\n');
    if (process.platform === 'linux') expect(await readFile(at('opened'), 'utf8')).to.equal(`${url}\n`);
  });

  it('refuses a port that is taken, and what is no guarded model, in one line', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const busy = await laOod('serve', at('run', 'guarded.onnx'), '--port', String(port));
    taken.close();
    expect(busy.exitCode).to.equal(2);
    expect(busy.stderr).to.match(
      /^--port \d+: is taken by another program; leave it out: a free one is found/,
    );
    const backbone = await laOod('serve', at('run', 'backbone.onnx'));
    expect(backbone.exitCode).to.equal(1);
    expect(backbone.stderr).to.match(
      /backbone\.onnx: is no guarded model; npx la-ood guard makes one of a run\n$/,
    );
    const missing = await laOod('serve', at('nowhere.onnx'));
    expect(missing.exitCode).to.equal(1);
    expect(missing.stderr).to.match(/^\S*nowhere\.onnx: .*\n$/);
    const both = await laOod('serve', at('run', 'guarded.onnx'), '--output', at('page'), '--open');
    expect(both.exitCode).to.equal(2);
  });

  it('writes the same files into a folder', async () => {
    const { files } = await writePage(at('run', 'guarded.onnx'), at('page'));
    const names = (await readdir(at('page'), { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    expect(names).to.have.length(files);
    for (const name of ['index.html', 'guard.json', 'onnxruntime/ort.wasm.min.mjs', 'src/page/page.js']) {
      const served = Buffer.from(await (await fetch(new URL(name, page.url))).arrayBuffer());
      expect(served.equals(await readFile(join(at('page'), name))), name).to.equal(true);
    }
  });

  /** The status of a request whose path is sent as it is. */
  function raw(options: {
    path: string;
    method?: string;
    headers?: Record<string, string>;
  }): Promise<number> {
    const { hostname, port } = new URL(page.url);
    return new Promise((resolve, reject) => {
      request({ hostname, port, ...options }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
        .on('error', reject)
        .end();
    });
  }
});

function firstOutput(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  return new Promise((resolve) => {
    stream.on('data', (part) => {
      text += part;
      if (text.endsWith('}\n')) resolve(text);
    });
  });
}
