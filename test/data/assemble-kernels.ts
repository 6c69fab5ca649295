import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

/** Makes the `.wasm.ts` of each `.wat`: node --import tsx test/data/assemble-kernels.ts */

/** The kernels below `data`, without the ends of their names. */
export const kernelFiles = [
  'jpeg/jpeg-kernels',
  'planes/interleave-kernels',
  'resampling/resampling-kernels',
] as const;

/** The binary form of a `.wat`, as base64. */
export async function assembleKernels(file: (typeof kernelFiles)[number]): Promise<string> {
  const source = await readFile(fileIn(`${file}.wat`), 'utf8');
  const { parseWat } = await wabt();
  const module = parseWat(`${file}.wat`, source, { simd: true });
  return Buffer.from(module.toBinary({}).buffer).toString('base64');
}

function fileIn(name: string): URL {
  return new URL(`../../data/${name}`, import.meta.url);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const file of kernelFiles) {
    const comment = `/** ${basename(file)}.wat in binary form, as base64; made by test/data/assemble-kernels.ts. */`;
    const text = `${comment}\nexport const kernels =\n  '${await assembleKernels(file)}';\n`;
    await writeFile(fileIn(`${file}.wasm.ts`), text);
  }
}
