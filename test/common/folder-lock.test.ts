import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { RunError } from '../../src/common/errors.ts';
import { writeAtomically, writeTogether } from '../../src/common/files.ts';
import { lockFolder } from '../../src/common/folder-lock.ts';
import { newMark } from '../../src/common/process-mark.ts';
import { temporaryFolder } from '../data/images.ts';
import { rejection } from '../data/rejection.ts';

describe('The lock of a folder', () => {
  const folder = temporaryFolder();
  const lock = () => folder.at('.lock');
  /** A mark of a process that has ended: the number is one that no process gets. */
  const stale = () => newMark().replace(/-\d+-/, '-4194305-');

  afterEach(async () => {
    expect(await readdir(folder.path)).to.deep.equal([]);
  });

  it('is held by one alone, whatever has been left there, and leaves nothing', async () => {
    for (let trial = 0; trial < 60; trial++) {
      const left = [undefined, stale(), '999999', '', 'junk'][trial % 5];
      if (left !== undefined) await writeFile(lock(), left);
      // Who removed what was left, and was killed over it.
      if (trial % 7 === 0) await writeFile(`${lock()}.${stale()}`, '');
      const taken = await Promise.allSettled(Array.from({ length: 6 }, () => lockFolder(lock())));
      const held = taken.filter(({ status }) => status === 'fulfilled');
      expect(held, `trial ${trial}`).to.have.length(1);
      for (const result of taken)
        if (result.status === 'fulfilled') result.value.release();
        else expect(result.reason.message).to.match(/process \d+ is using this run folder; wait for it/);
    }
  });

  it('is not that of another program which has its number now', async () => {
    const other = spawn('sleep', ['60']);
    try {
      for (const content of [String(other.pid), newMark().replace(/-\d+-/, `-${other.pid}-`)]) {
        await writeFile(lock(), content);
        (await lockFolder(lock())).release();
      }
      await writeFile(lock(), String(process.pid));
      expect((await rejection(lockFolder(lock()), RunError)).message).to.match(/is using this run folder/);
      await rm(lock());
    } finally {
      other.kill();
      await once(other, 'exit');
    }
  });

  it('is left alone where it is of another machine, and named where it is a folder', async () => {
    await writeFile(lock(), `00000000-1-1-00000000\n`);
    expect((await rejection(lockFolder(lock()), RunError)).message).to.match(
      /process 1 of another machine is using this run folder; wait for it, or remove this file if it has ended/,
    );
    await rm(lock());
    await mkdir(lock());
    expect((await rejection(lockFolder(lock()), RunError)).message).to.match(
      /\.lock: is a folder, and the lock of la-ood belongs there; move it away/,
    );
    await rm(lock(), { recursive: true });
  });

  it('is not needed for a file: what a process left that was killed over it goes when it is written again', async () => {
    await writeFile(folder.at(`.scores.csv.${stale()}.part`), 'half');
    await writeFile(folder.at(`.other.csv.${stale()}.part`), 'half');
    const now = folder.at(`.scores.csv.${newMark()}.part`);
    await writeFile(now, 'another process writes it');
    await writeAtomically(folder.at('scores.csv'), 'whole');
    expect(await readFile(folder.at('scores.csv'), 'utf8')).to.equal('whole');
    const names = await readdir(folder.path);
    expect(names).to.have.length(3);
    expect(names.filter((name) => name.startsWith('.scores'))).to.deep.equal([
      now.slice(folder.path.length + 1),
    ]);
    for (const name of names) await rm(folder.at(name));
  });

  it('is not needed for files that are written together either', async () => {
    const now = newMark();
    for (const mark of [stale(), now]) {
      await mkdir(folder.at(`.${mark}.part`));
      await writeFile(folder.at(`.${mark}.part/model.onnx`), 'half');
    }
    await writeTogether(folder.path, async (part) => {
      await writeFile(`${part}/model.onnx`, 'whole');
      return ['model.onnx'];
    });
    expect((await readdir(folder.path)).sort()).to.deep.equal([`.${now}.part`, 'model.onnx']);
    for (const name of await readdir(folder.path)) await rm(folder.at(name), { recursive: true });
  });
});
