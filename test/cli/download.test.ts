import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { temporaryFolder } from './files.ts';
import { laOod } from './run.ts';

describe('la-ood download', () => {
  const at = temporaryFolder();

  it('lists what there is, and what has to be fetched by hand', async () => {
    const { exitCode, stdout } = await laOod('download');
    expect(exitCode).to.equal(0);
    expect(stdout).to.match(/^cifar10 +171 MB +CIFAR-10, .*none is stated/m);
    expect(stdout).to.match(/^isun .*dropbox.*iSUN$/m);
  });

  it('says where to get and to put what it cannot download, and what was meant', async () => {
    const lsun = await laOod('download', 'lsun', '--quiet');
    expect(lsun.exitCode).to.equal(1);
    expect(lsun.stderr).to.match(
      /^lsun: cannot be downloaded by a program; get http:\S+test_lmdb\.zip [^\n]+\n$/,
    );
    expect((await laOod('download', 'cifar11')).stderr).to.match(/did you mean cifar10/);
  });

  it('refuses what a mirror sends in place of a set, in one line', async () => {
    const server = createServer((_, response) => response.end('not this')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}/sets`;
    const { exitCode, stderr } = await laOod(
      'download',
      'svhn',
      '--quiet',
      '--output',
      at('x'),
      '--mirror',
      mirror,
    );
    server.close();
    expect(exitCode).to.equal(1);
    expect(stderr).to.match(/^\S+\/sets\/test_32x32\.mat: has 8 bytes, 64275384 were published; [^\n]+\n$/);
  });
});
