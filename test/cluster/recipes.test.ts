import { readdirSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { expect } from 'chai';
import sharp from 'sharp';
import { openImageSet } from '../../data/open.ts';
import { filterNames } from '../../data/resampling/filters.ts';
import { encodeBackboneMetadata } from '../../models/metadata.ts';
import { type Geometry, RandomState, type ScoredImage } from '../../src/index.ts';
import { resizingOf } from '../../src/pipeline/features/feature-graph.ts';
import { temporaryFolder } from '../cli/files.ts';
import { start } from '../cli/run.ts';
import { python, pythonWithInput } from '../parity/python.ts';
import { type Lake, makeLake } from './lake.ts';
import { descendants, startProgram, startRecipe, until } from './processes.ts';
import { expectSameRows, type Row } from './rows.ts';
import { startTriton } from './triton.ts';

describe('Recipes for clusters', () => {
  const at = temporaryFolder();
  let lake: Lake;

  before(async function () {
    lake = await makeLake(this, at);
  });

  it('read and resize images as la-ood does', async () => {
    await mkdir(at('kinds'));
    const random = new RandomState(0);
    const noise = (height: number, width: number) =>
      sharp(
        Uint8Array.from({ length: 3 * height * width }, () => random.integer(255)),
        { raw: { height, width, channels: 3 } },
      );
    await noise(61, 83).jpeg().toFile(at('kinds', 'a.jpg'));
    await noise(90, 40).png({ palette: true }).toFile(at('kinds', 'b.PNG'));
    await noise(20, 33).ensureAlpha(0.5).webp({ lossless: true }).toFile(at('kinds', 'c.webp'));
    await noise(200, 31).greyscale().jpeg().toFile(at('kinds', 'd.jpeg'));
    const alpha = Uint8Array.from({ length: 50 * 45 }, () => random.integer(255));
    await noise(50, 45)
      .joinChannel(Buffer.from(alpha), { raw: { height: 50, width: 45, channels: 1 } })
      .png()
      .toFile(at('kinds', 'e.png'));
    const set = await openImageSet(at('kinds'));
    const size = { height: 40, width: 57 };
    const geometries: Geometry[] = filterNames.flatMap((filter) =>
      [undefined, 64, 31].map((shorterSide) => ({ ...size, filter, shorterSide })),
    );
    const border = [9, 200, 77] as const;
    for (const fit of ['stretch', 'cover', 'contain'] as const)
      for (const rounding of ['truncate', 'round'] as const)
        for (const place of ['middle', 'middle-floor', 'start'] as const)
          for (const to of [size, { height: 51, width: 60 }, { height: 33, width: 32 }])
            geometries.push({ ...size, filter: 'bicubic', framing: { fit, to, rounding, place, border } });
    geometries.push({ ...size, background: border });
    const metadata = geometries.map((geometry) =>
      encodeBackboneMetadata({ filter: geometry.filter, ...resizingOf(geometry) }),
    );
    const names = await pythonWithInput<string[]>(
      '../cluster/pixels.py',
      JSON.stringify(metadata),
      ...[at('kinds'), at('pixels'), ...[size.height, size.width].map(String)],
    );
    expect(names).to.deep.equal(['a.jpg', 'b.PNG', 'c.webp', 'd.jpeg', 'e.png']);
    const theirs = await readFile(at('pixels'));
    const bytes = theirs.length / geometries.length;
    for (const [at, geometry] of geometries.entries()) {
      const ours = await set.read(0, set.length, geometry);
      const own = theirs.subarray(at * bytes, (at + 1) * bytes);
      expect(own.equals(ours), JSON.stringify(geometry)).to.equal(true);
    }
  });

  it('score on Ray, where a worker is killed on the way, what la-ood score scores', async () => {
    const expected = await scores(lake.images);
    const output = at('ray');
    const began = performance.now();
    const ray = startRecipe('score_with_ray.py', [lake.model, lake.images, output, '--workers', '2'], {
      // Where Ray keeps its token, and its sockets, whose paths must be short.
      ...{ HOME: at(), RAY_TMPDIR: '/tmp', RAY_USAGE_STATS_ENABLED: '0' },
    });
    const parts = () => files(output, '.parquet').length;
    const workers = () =>
      [...descendants(ray.process.pid!)].filter(([, name]) => name.startsWith('ray::MapWorker'));
    // A part is written for about a MiB of images.
    const half = lake.count === 20_000 ? 8 : 1;
    const [killed, others] = await until(ray, () => {
      const all = workers();
      const busy = all.find(([, name]) => name.endsWith('.submit'));
      return parts() >= half && all.length === 2 && busy && ([busy[0], all.map(([id]) => id)] as const);
    });
    const before = parts();
    process.kill(killed, 'SIGKILL');
    await until(ray, () => workers().every(([id]) => id !== killed));
    await until(ray, () => workers().some(([id]) => !others.includes(id)));
    await ray.finished;
    const seconds = (performance.now() - began) / 1000;
    expect(before).to.be.lessThan(parts());
    await expectSameRows(await python<Row[]>('../cluster/rows.py', output), expected.rows, lake.model);
    console.log(
      `      a worker killed after ${before} of ${parts()} parts\n` +
        `      Ray, two workers: ${rate(lake.count, seconds)}, starting and the loss of a worker included\n` +
        `      la-ood score, one process: ${rate(lake.count, expected.seconds)}`,
    );
  });

  it('score on Spark what la-ood score scores', async function () {
    if (!(await hasJava())) {
      this.test!.title += ' (Java is missing here)';
      this.skip();
    }
    const spark = startRecipe('score_with_spark.py', [lake.model, lake.few, at('spark')], {
      ...{ PYSPARK_PYTHON: process.env.LA_OOD_PYTHON!, SPARK_LOCAL_IP: '127.0.0.1' },
    });
    await spark.finished;
    const rows = await python<Row[]>('../cluster/rows.py', at('spark'));
    await expectSameRows(rows, (await scores(lake.few)).rows, lake.model);
  });

  it("score on Triton's server what la-ood score scores", async function () {
    const server = await startTriton(lake.model, at);
    if (typeof server === 'string') {
      this.test!.title += ` (${server})`;
      this.skip();
    }
    try {
      const client = startRecipe('score_with_triton.py', [lake.few, '--url', server.url]);
      await client.finished;
      await expectSameRows(rowsOfCsv(client.printed()), (await scores(lake.few)).rows, lake.model);
      expect(server.program.printed()).to.match(/guarded +\| 1 +\| READY/);
    } finally {
      server.program.process.kill('SIGTERM');
    }
  });

  /** What `la-ood score` says, and how long it takes, its start included. */
  async function scores(images: string): Promise<{ rows: ScoredImage[]; seconds: number }> {
    const began = performance.now();
    const { exitCode, stderr } = await start(['score', lake.model, images, '--output', at('expected.jsonl')])
      .finished;
    expect(exitCode, stderr).to.equal(0);
    const seconds = (performance.now() - began) / 1000;
    const lines = (await readFile(at('expected.jsonl'), 'utf8')).trim().split('\n');
    return { rows: lines.map((line) => JSON.parse(line)), seconds };
  }
});

/** Files of a folder, none where it is not there yet. */
function files(folder: string, ending: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(ending));
  } catch {
    return [];
  }
}

function rate(count: number, seconds: number): string {
  return `${count} images in ${seconds.toFixed(1)} s, ${Math.round(count / seconds)} a second`;
}

function hasJava(): Promise<boolean> {
  return startProgram('java', ['-version']).finished.then(
    () => true,
    () => false,
  );
}

/** No value has a comma or a line in it here. */
function rowsOfCsv(text: string): Row[] {
  const [head, ...lines] = text.trim().split('\r\n');
  const names = head.split(',');
  return lines.map((line) => {
    const cells = line.split(',').map((cell, i) => [names[i], cellValue(names[i], cell)]);
    return Object.fromEntries(cells) as unknown as Row;
  });
}

function cellValue(name: string, cell: string): Row[keyof Row] {
  if (name === 'is_ood') return cell === 'true';
  return /^label$|_score$|p_value$/.test(name) ? Number(cell) : cell;
}
